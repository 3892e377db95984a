"""tf.data: with TensorFlow's own operations, and with our `read` in a numpy_function."""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import soundfile
import tensorflow as tf

from reprise.loading.order import Order
from scripts.bench import data
from scripts.bench.datasets import WINDOW_S
from scripts.bench.meter import Meter
from scripts.bench.plain import place
from scripts.bench.works import Work

SIDE = 384


def run(engine: str, work: Work, dataset: Any, workers: int, meter: Meter, source: str) -> None:
    """Hand batches to the meter without end."""
    for x, _ in make(engine, work, dataset, workers, source):
        array = x.numpy()
        meter.batch(len(array), array)


def make(engine: str, work: Work, dataset: Any, workers: int, source: str) -> tf.data.Dataset:
    """The endless pipeline."""
    if engine.endswith("our read"):
        return _our_read(work, dataset, workers)
    if (Path(source) / "images").exists():
        return _images(work, source, workers)
    if (Path(source) / "recordings").exists():
        return _sound(work, dataset, source, workers)
    return _rows(work, source) if (Path(source) / "rows.csv").exists() else _arrays(work, dataset)


def _our_read(work: Work, dataset: Any, workers: int) -> tf.data.Dataset:
    order = Order(dataset.splits()["train"], split="train", seed=0, batch_size=1)
    specs = dataset.input_spec, dataset.target_spec

    def read(step: np.ndarray) -> Any:
        plan = order.plan(int(step))
        return dataset.read(int(plan.indices[0]), plan.rngs[0])

    def sample(step: tf.Tensor) -> Any:
        arrays = tf.numpy_function(read, [step], [spec.dtype for spec in specs])
        for array, spec in zip(arrays, specs, strict=True):
            array.set_shape(spec.shape)
        return tuple(arrays)

    steps = tf.data.Dataset.counter()
    return steps.map(sample, workers).batch(work.batch_size).prefetch(2)


def _images(work: Work, source: str, workers: int) -> tf.data.Dataset:
    """Decode, and one warp that resizes, flips, turns, shifts and zooms."""

    def sample(image: tf.Tensor, mask: tf.Tensor) -> Any:
        matrix = _random_matrix()
        x = _warp(tf.io.decode_jpeg(tf.io.read_file(image), channels=3), matrix, "BILINEAR")
        y = _warp(tf.io.decode_png(tf.io.read_file(mask), channels=1), matrix, "NEAREST")
        x = tf.cast(x, tf.float32) / 255 if work.dtype == "float32" else x
        return x, tf.cast(y > 127, tf.uint8)

    files = [sorted(map(str, (Path(source) / kind).iterdir())) for kind in ("images", "masks")]
    pairs = tf.data.Dataset.from_tensor_slices(tuple(files)).shuffle(len(files[0])).repeat()
    return pairs.map(sample, workers).batch(work.batch_size).prefetch(2)


def _warp(image: tf.Tensor, matrix: tf.Tensor, interpolation: str) -> tf.Tensor:
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None], transforms=matrix, output_shape=(SIDE, SIDE), fill_value=0.0,
        interpolation=interpolation, fill_mode="NEAREST",
    )  # fmt: skip
    return warped[0]


def _random_matrix() -> tf.Tensor:
    """Eight numbers from a pixel of the result to its place in the file's picture."""
    angle = tf.random.uniform((), -0.26, 0.26)
    shift = tf.random.uniform((2,), -0.05, 0.05) * data.SIDE
    zoom = tf.random.uniform((2,), 0.9, 1.1) * (data.SIDE / SIDE)
    flip = tf.where(tf.random.uniform(()) < 0.5, -1.0, 1.0)
    a, b = tf.cos(angle) * zoom[0] * flip, -tf.sin(angle) * zoom[1]
    c, d = tf.sin(angle) * zoom[0] * flip, tf.cos(angle) * zoom[1]
    middle, centre = (SIDE - 1) / 2, (data.SIDE - 1) / 2
    left = centre + shift[0] - a * middle - b * middle
    top = centre + shift[1] - c * middle - d * middle
    return tf.stack([a, b, left, c, d, top, 0.0, 0.0])[None]


def _sound(work: Work, dataset: Any, source: str, workers: int) -> tf.data.Dataset:
    """The slice by soundfile, the rest by tf.signal."""
    length, bands = round(WINDOW_S * data.RATE), dataset.input_spec.shape[0]
    filters = tf.signal.linear_to_mel_weight_matrix(bands, 1025, data.RATE, 0.0, data.RATE / 2)
    indices = dataset.splits()["train"]
    names = [dataset.name(int(at)) for at in indices]
    labels = [dataset.label(int(at)) for at in indices]

    def read(name: bytes) -> np.ndarray:
        file, begin = place(name.decode(), data.RATE, length)
        with soundfile.SoundFile(f"{source}/recordings/{file}") as sound:
            sound.seek(min(begin, sound.frames - length))
            wave: np.ndarray = sound.read(length, dtype="float32")
        return wave

    def sample(name: tf.Tensor, label: tf.Tensor) -> Any:
        wave = tf.numpy_function(read, [name], tf.float32)
        wave.set_shape((length,))
        frames = tf.signal.stft(tf.pad(wave, [[1024, 1024]]), 2048, 512)
        power = tf.square(tf.abs(frames)) @ filters
        decibels = 10 / tf.math.log(10.0) * tf.math.log(tf.maximum(power, 1e-10))
        decibels = tf.maximum(decibels, tf.reduce_max(decibels) - 80)
        low, high = tf.reduce_min(decibels), tf.reduce_max(decibels)
        return tf.transpose((decibels - low) / (high - low))[..., None], label

    pairs = tf.data.Dataset.from_tensor_slices((names, labels)).shuffle(len(names)).repeat()
    return pairs.map(sample, workers).batch(work.batch_size).prefetch(2)


def _arrays(work: Work, dataset: Any) -> tf.data.Dataset:
    """Shuffled indices, gathered a batch at a time: the quickest short pipeline."""
    x, y = map(tf.constant, dataset.read_many(np.arange(len(dataset)), [None] * len(dataset)))
    indices = tf.data.Dataset.range(len(dataset)).shuffle(len(dataset)).repeat()

    def gather(at: tf.Tensor) -> Any:
        return tf.gather(x, at), tf.gather(y, at)

    return indices.batch(work.batch_size).map(gather).prefetch(2)


def _rows(work: Work, source: str) -> tf.data.Dataset:
    """CsvDataset, mixed in a buffer of our default's size."""
    kinds = [tf.float32] * 4 + [tf.string]
    lines = tf.data.experimental.CsvDataset(f"{source}/rows.csv", kinds, header=True)
    names = tf.constant(["setosa", "versicolor", "virginica"])

    def pack(*columns: tf.Tensor) -> Any:
        label = tf.argmax(columns[-1][:, None] == names, axis=1)
        return tf.stack(columns[:-1], axis=1), label

    return lines.repeat().shuffle(1000).batch(work.batch_size).map(pack).prefetch(2)
