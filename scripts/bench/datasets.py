"""Our datasets over what `data` has written, with the settings that are measured."""

from pathlib import Path
from typing import Any

from reprise.datasets.base import Dataset
from reprise.datasets.stream import Stream
from scripts.bench import data

SHARES: dict[Any, Any] = {"train": 0.8, "valid": 0.2, "test": None}
WINDOW_S = 10.0
COLUMNS: dict[Any, str] = {
    "recording": "recording",
    "label": "label",
    "t_min": "t_min",
    "t_max": "t_max",
}
CELLS: dict[Any, str] = {"key": "user_id", "row": "x", "column": "y"}


def image_mask(source: str) -> Dataset:
    """Flip, turn, shift and zoom, 512 by 512 to 384 by 384."""
    from reprise.datasets.image_mask import ImageMask
    from reprise.transforms.augment import Augment

    augment = Augment(
        rotation_range=15,
        width_shift_range=0.05,
        height_shift_range=0.05,
        zoom_range=0.1,
        horizontal_flip=True,
    )
    return ImageMask(
        f"{source}/images",
        f"{source}/masks",
        image_size=[384, 384],
        split=SHARES,
        augment=augment,
    )


def float_images(source: str) -> Dataset:
    """The same, as float32."""
    from scripts.bench.plain import AsFloat

    return AsFloat(image_mask(source))


def mel(source: str) -> Any:
    """256 bands of 10 s, a frame every 512 samples."""
    from reprise.datasets.mel_spectrogram import MelSpectrogram
    from reprise.transforms.mel import Mel

    return MelSpectrogram(
        annotations=f"{source}/annotations.csv",
        recordings=f"{source}/recordings",
        window_s=WINDOW_S,
        split={"train": 0.75, "valid": 0.25, "test": None},
        columns=COLUMNS,
        mel=Mel(n_mels=256),
        sample_rate=data.RATE,
    )


def plain_mel(source: str) -> Dataset:
    """The same samples by librosa."""
    from scripts.bench.plain import PlainMel

    return PlainMel(mel(source), Path(source) / "recordings", data.RATE, WINDOW_S)


def arrays(source: str) -> Dataset:
    """MNIST's size."""
    from reprise.datasets.arrays import Arrays

    return Arrays(f"{source}/arrays.npz", "x", "y", SHARES)


def matrices(source: str, side: int) -> Dataset:
    """Matrices of `side` by `side` from the table `cells`."""
    from reprise.datasets.sql_matrix import SqlMatrix

    url = source if "://" in source else f"sqlite:///{source}/cells.sqlite"
    return SqlMatrix(url, "cells", [side, side], CELLS, ["value"], SHARES)


def csv_rows(source: str) -> Stream:
    """A CSV file as a stream."""
    from reprise.datasets.streams.table_source import TableSource

    names = ["setosa", "versicolor", "virginica"]
    table = TableSource(f"{source}/rows.csv", "species", classes=names)
    return Stream(table, {"train": 1.0, "valid": table, "test": None})
