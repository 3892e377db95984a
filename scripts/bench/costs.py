"""What the loader costs beside the samples: `python -m scripts.bench.costs QUICK WORKERS`.

Prints JSON: `first_batch_cold_s` and `first_batch_warm_s` (the fork server runs already);
`parent_ms_per_batch`, processor time of the process that trains, by batch size, where batches of
all sizes come at one pace (after a longer wait everything costs more); `worker_mb`, memory of a
worker's own (USS, its slots not in it); `epoch_ms`, in `fit`, for an epoch of four trivial steps
and a validation pass of four, by feed: tensors, TensorFlow's own generator, and ours.
"""

import json
import os
import sys
import time
from itertools import repeat
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from reprise.loading.loader import Loader
from scripts.bench import data
from scripts.bench.plain import Paced
from scripts.bench.works import WORKS

_SKIPPED = 12  # batches
_PACE_S = 0.025  # from one batch to the next


def main(quick: str, workers: str) -> None:
    """Measure and print."""
    work, count = WORKS["image_mask"], int(workers)
    with TemporaryDirectory(prefix="reprise-bench-") as folder:
        work.write(Path(folder) / "images", work.count[quick == "true"])
        dataset = work.make(f"{folder}/images")
        found: dict[str, Any] = {"first_batch_cold_s": _first_batch_s(dataset, count)[0]}
        warm = [_first_batch_s(dataset, count) for _ in range(3)]
        found["first_batch_warm_s"] = median(seconds for seconds, _ in warm)
        found["worker_mb"] = warm[-1][1]
        sizes = (2, 8, 32)
        found["parent_ms_per_batch"] = {size: _parent_ms(dataset, count, size) for size in sizes}
        data.write_arrays(Path(folder) / "arrays", 60)
        arrays = WORKS["arrays_32"].make(f"{folder}/arrays")
        found["epoch_ms"] = {
            feed: _epoch_ms(arrays, count, feed) for feed in ("tensors", "generator", "reprise")
        }
    print(json.dumps(found))


def _loader(dataset: Any, workers: int, split: str = "train", batch_size: int = 8) -> Loader:
    part = dataset.splits()[split]
    return Loader(dataset, part, split=split, seed=0, batch_size=batch_size, workers=workers)


def _first_batch_s(dataset: Any, workers: int) -> tuple[float, float]:
    """Seconds to the first batch, and MB of a worker once every one has made some."""
    began = time.perf_counter()
    with _loader(dataset, workers) as loader:
        batches = loader.batches()
        next(batches)
        seconds = time.perf_counter() - began
        for _ in range(_SKIPPED):
            next(batches)
        own = psutil.Process()
        made = [child for server in own.children() for child in server.children()]
        sizes = [child.memory_full_info().uss / 2**20 for child in made]
        return seconds, median(sizes) if sizes else 0.0


def _parent_ms(dataset: Any, workers: int, batch_size: int) -> float:
    paced = Paced(dataset, workers * _PACE_S / batch_size)
    with _loader(paced, workers, batch_size=batch_size) as loader:
        batches = loader.batches()
        for _ in range(_SKIPPED):
            next(batches)
        count = 60
        began = time.process_time()
        for _ in range(count):
            next(batches)
        return 1000 * (time.process_time() - began) / count


def _epoch_ms(arrays: Any, workers: int, feed: str) -> float:
    """Of an epoch of 4 steps and 4 steps of validation, the mean of 20."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    with (
        _loader(arrays, workers, "train", 12) as train,
        _loader(arrays, workers, "valid", 3) as valid,
    ):
        image = keras.Input(arrays.input_spec.shape)
        model = keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(image)))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, jit_compile=False)
        feeds = [_feed(feed, loader, stop) for loader, stop in ((train, None), (valid, 4))]

        def fit(epochs: int) -> float:
            began = time.perf_counter()
            model.fit(
                feeds[0], steps_per_epoch=4, epochs=epochs, verbose=0,
                validation_data=feeds[1], validation_steps=4, shuffle=False,
            )  # fmt: skip
            return time.perf_counter() - began

        fit(2)
        return 1000 * (fit(22) - fit(2)) / 20


def _feed(feed: str, loader: Loader, stop: int | None) -> Any:
    """The loader's batches; or the first of them over and over, as tensors or by a generator."""
    import tensorflow as tf

    from reprise.loading.feed import as_tf_dataset

    if feed == "reprise":
        return as_tf_dataset(loader, stop=stop)
    batch = next(loader.batches())
    feeds = tf.data.Dataset
    if feed == "tensors":
        return feeds.from_tensors(batch).repeat(stop)
    signature = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in batch)
    made = feeds.from_generator(lambda: repeat(batch), output_signature=signature)
    return made if stop is None else made.take(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
