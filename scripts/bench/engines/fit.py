"""Into `model.fit`, with a model that asks for as little as a model can."""

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

from reprise.loading.assemble import assemble
from reprise.loading.feed import as_tf_dataset
from reprise.loading.order import Order
from scripts.bench.engines import keras_feed, ours, tf_feed
from scripts.bench.meter import Meter
from scripts.bench.works import Work


class Tell(keras.callbacks.Callback):
    """Says after each step that a batch has come; training stands still between measurements."""

    def __init__(self, meter: Meter, samples: int) -> None:
        super().__init__()
        self._meter, self._samples = meter, samples

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step is done."""
        self._meter.batch(self._samples)


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
    """Train without end; the meter decides when a step is let through."""
    feed = _feed(engine.removeprefix("fit "), work, dataset, workers, source)
    tell = Tell(meter, work.batch_size)
    tiny_model(dataset).fit(feed, steps_per_epoch=10**9, verbose=0, shuffle=False, callbacks=[tell])


def _feed(engine: str, work: Work, dataset: Any, workers: int, source: str) -> Any:
    if engine == "constant":
        order = Order(dataset.splits()["train"], split="train", seed=0, batch_size=work.batch_size)
        return tf.data.Dataset.from_tensors(assemble(dataset, order.job(0))).repeat()
    if engine.startswith("keras"):
        return keras_feed.make(engine, work, dataset, workers)
    if engine.startswith("tf.data"):
        return tf_feed.make(engine, work, dataset, workers, source)
    return as_tf_dataset(ours.make_loader(engine, work, dataset, workers))
