"""A program that loads batches, for tests that end it in one way or another: MODE START_METHOD."""

import multiprocessing
import signal
import sys
from typing import Any

import numpy as np
from datasets.stream_sources import Endless
from loading.loader_samples import Slow

from reprise.datasets.stream import Stream
from reprise.loading.loader import Loader


def main(mode: str, start_method: str) -> None:
    multiprocessing.set_start_method(start_method)
    # A shell that runs the tests in the background has its children ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    keys: dict[str, Any] = {"split": "valid", "seed": 3, "batch_size": 4, "workers": 2}
    if mode == "stream":
        stream = Stream(Endless(), {"train": 1.0, "valid": 0.0})
        loader = Loader(stream, stream.splits()["train"], **keys, max_queue_size=1)
    else:
        dataset = Slow(stuck=mode == "stuck", side=1024 if mode == "large" else 5)
        loader = Loader(dataset, np.arange(23), **keys)
    if mode == "at once":
        print("started", flush=True)
    try:
        for step, _ in enumerate(loader.batches()):
            if step == (0 if mode == "stuck" else 20):
                print(*sorted(loader.producers), flush=True)
                if mode in ("forget", "large"):
                    return
    except KeyboardInterrupt:
        loader.close()
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
