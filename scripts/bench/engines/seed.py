"""What the blog posts do that this project grew from, on the same data, one process, no workers.

Written anew with their calls in their order; what would not run is mended, what is slow is kept.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scripts.bench import data
from scripts.bench.datasets import WINDOW_S
from scripts.bench.engines import seed_cells
from scripts.bench.meter import Meter
from scripts.bench.plain import place
from scripts.bench.works import Work


def run(engine: str, work: Work, dataset: Any, workers: int, meter: Meter, source: str) -> None:
    """Hand batches to the meter without end."""
    folder = Path(source)
    kinds = {"images": images, "recordings": sound, "arrays.npz": arrays, "rows.csv": rows}
    found = [make for name, make in kinds.items() if (folder / name).exists()]
    make = found[0] if found else seed_cells.cells
    for x in make(source, dataset, work.batch_size):
        meter.batch(len(x), x)


def images(source: str, dataset: Any, batch_size: int) -> Iterator[np.ndarray]:
    """Read, resize and warp with scikit-image, divide, and make one array of a list."""
    from skimage import io
    from skimage.transform import AffineTransform, resize, warp

    files = sorted((Path(source) / "images").iterdir())
    rng = np.random.default_rng(0)
    for batch in seed_cells.orders(len(files), batch_size):
        pictures, masks = [], []
        for at in batch:
            image = resize(io.imread(files[at]), (384, 384))  # in 0 to 1, float64
            mask = resize(
                io.imread(Path(source) / f"masks/{files[at].stem}.png") / 255.0, (384, 384)
            )
            if rng.random() < 0.5:
                image, mask = image[:, ::-1], mask[:, ::-1]
            change = AffineTransform(
                rotation=rng.uniform(-0.1, 0.1), translation=rng.uniform(-9, 9, 2)
            )
            pictures.append(warp(image, change, mode="edge"))
            masks.append(np.expand_dims(warp(mask, change, mode="edge"), -1))
        x, _ = np.array(pictures), np.array(masks)
        yield x


def sound(source: str, dataset: Any, batch_size: int) -> Iterator[np.ndarray]:
    """Load the whole recording, cut out the window, librosa's defaults, resize the picture."""
    import librosa
    from skimage.transform import resize

    shape = dataset.input_spec.shape
    length = round(WINDOW_S * data.RATE)
    for batch in seed_cells.orders(len(dataset), batch_size):
        x = np.empty((batch_size, *shape))
        for row, at in enumerate(batch):
            file, begin = place(dataset.name(int(at)), data.RATE, length)
            wave, rate = librosa.load(f"{source}/recordings/{file}", sr=None)
            begin = min(begin, len(wave) - length)
            mel = librosa.feature.melspectrogram(
                y=wave[begin : begin + length], n_fft=2048, hop_length=512, sr=rate, power=2
            )
            picture = librosa.amplitude_to_db(np.abs(mel))
            picture = picture - np.min(picture)
            x[row] = resize(picture / np.max(picture), shape)
        yield x


def arrays(source: str, dataset: Any, batch_size: int) -> Iterator[np.ndarray]:
    """Copy row by row, and divide the whole batch once for each row."""
    with np.load(f"{source}/arrays.npz") as file:
        pictures, labels = file["x"], file["y"]
    eye = np.eye(10)
    for batch in seed_cells.orders(len(pictures), batch_size):
        x, y = np.empty((batch_size, 28, 28)), []
        for row, at in enumerate(batch):
            x[row] = pictures[at]
            x = (x / 255).astype("float32")
            y.append(labels[at])
        eye[np.array(y)]
        yield x[:, :, :, np.newaxis]


def rows(source: str, dataset: Any, batch_size: int) -> Iterator[np.ndarray]:
    """A generator of lines through from_generator, mixed and batched row by row."""
    import tensorflow as tf

    names = {"setosa": 0, "versicolor": 1, "virginica": 2}

    def lines() -> Iterator[tuple[list[float], int]]:
        with open(f"{source}/rows.csv") as file:
            next(file)
            for line in file:
                words = line.strip().split(",")
                yield [float(word) for word in words[:4]], names[words[4]]

    kinds, shapes = (tf.float64, tf.int64), (tf.TensorShape([None]), tf.TensorShape([]))
    samples = tf.data.Dataset.from_generator(lines, kinds, shapes)
    for x, _ in samples.shuffle(150).batch(8).repeat():
        yield x.numpy()
