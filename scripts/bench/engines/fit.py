"""Into `model.fit`, with a model that asks for as little as a model can."""

import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

from reprise.loading.feed import as_tf_dataset
from reprise.loading.order import Order
from reprise.loading.worker import assemble
from scripts.bench.engines import keras_feed, ours, tf_feed
from scripts.bench.meter import Meter
from scripts.bench.works import Work

_WARM, _TIMED = 20, 40  # batches


class Tell(keras.callbacks.Callback):
    """Says after each step that a batch has come; training stands still between measurements.

    Args:
        meter: Who is told.
        samples: Of a batch.
        pause_s: Wait so long after each step.
    """

    def __init__(self, meter: Meter, samples: int, pause_s: float) -> None:
        super().__init__()
        self._meter, self._samples, self._pause_s = meter, samples, pause_s

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step is done."""
        self._meter.batch(self._samples)
        time.sleep(self._pause_s)


def tiny_model(dataset: Any) -> keras.Model:
    """One small convolution that looks at every eighth pixel of every eighth row."""
    image = keras.Input(dataset.input_spec.shape)
    x = keras.ops.cast(image[:, ::8, ::8], "float32")
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(keras.layers.Rescaling(1 / 255)(x))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))

    def loss(y: Any, prediction: Any) -> Any:
        y = keras.ops.cast(keras.ops.reshape(y, (keras.ops.shape(y)[0], -1)), "float32")
        return keras.ops.abs(keras.ops.mean(prediction, axis=1) - y[:, 0])

    model.compile("sgd", loss, jit_compile=False)
    return model


def run(engine: str, work: Work, dataset: Any, workers: int, meter: Meter, source: str) -> None:
    """Train without end; the meter decides when a step is let through.

    "constant" is one batch over and over. "constant paced" waits as long between steps as
    our workers need for a batch: a model that is not called at once finds its threads
    asleep and its data out of the caches, and takes more processor time for the same.
    """
    feed = _feed(engine.removeprefix("fit "), work, dataset, workers, source)
    pause_s = _pace_s(work, dataset, workers) if engine.endswith("paced") else 0.0
    tell = Tell(meter, work.batch_size, pause_s)
    tiny_model(dataset).fit(feed, steps_per_epoch=10**9, verbose=0, shuffle=False, callbacks=[tell])


def _feed(engine: str, work: Work, dataset: Any, workers: int, source: str) -> Any:
    if engine.startswith("constant"):
        batch = assemble(dataset, _order(work, dataset).plan(0))
        return tf.data.Dataset.from_tensors(batch).repeat()
    if engine.startswith("keras"):
        return keras_feed.make(engine, work, dataset, workers)
    if engine.startswith("tf.data"):
        return tf_feed.make(engine, work, dataset, workers, source)
    return as_tf_dataset(ours.make_loader(engine, work, dataset, workers))


def _pace_s(work: Work, dataset: Any, workers: int) -> float:
    """Seconds from one batch to the next, as our workers make them when nobody trains."""
    with ours.make_loader("reprise", work, dataset, workers) as loader:
        batches = loader.batches()
        for _ in range(_WARM):
            next(batches)
        began = time.perf_counter()
        for _ in range(_TIMED):
            next(batches)
        return (time.perf_counter() - began) / _TIMED


def _order(work: Work, dataset: Any) -> Order:
    return Order(dataset.splits()["train"], split="train", seed=0, batch_size=work.batch_size)
