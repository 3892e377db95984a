"""A program that loads batches, for tests that end it in one way or another: MODE START_METHOD."""

import multiprocessing
import sys

import numpy as np
from loading.loader_samples import Slow

from reprise.loading.loader import Loader


def main(mode: str, start_method: str) -> None:
    multiprocessing.set_start_method(start_method)
    dataset = Slow(stuck=mode == "stuck")
    loader = Loader(dataset, np.arange(23), split="valid", seed=3, batch_size=4, workers=2)
    if mode == "at once":
        print("started", flush=True)
    try:
        for step, _ in enumerate(loader.batches()):
            if step == (0 if mode == "stuck" else 20):
                print(*sorted(loader.producers), flush=True)
                if mode == "forget":
                    return
    except KeyboardInterrupt:
        loader.close()
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
