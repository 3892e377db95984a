"""Writes what is measured: made-up data of the usual sizes, the same bytes every time."""

import sqlite3
from pathlib import Path

import cv2
import numpy as np
import soundfile

SIDE = 512  # pixels of an image
RATE = 48_000  # Hz
RECORDING_S = 60


def write_images(folder: Path, count: int) -> None:
    """JPEG pictures of 512 by 512 with soft shapes and fine grain, and their PNG masks."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        soft = rng.uniform(0, 255, (24, 24, 3)).astype(np.float32)
        picture = cv2.resize(soft, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        mask = np.where(picture[..., 1] > 140, 255, 0).astype(np.uint8)
        pixels = (picture + rng.normal(0, 6, picture.shape)).clip(0, 255).astype(np.uint8)
        cv2.imwrite(
            str(folder / f"images/{number:04d}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90]
        )
        cv2.imwrite(str(folder / f"masks/{number:04d}.png"), mask)


def write_recordings(folder: Path, count: int) -> None:
    """FLAC files of one minute at 48 kHz, tones in noise, and a table of 16 calls in each."""
    (folder / "recordings").mkdir(parents=True)
    rows = ["recording,label,t_min,t_max"]
    time = np.arange(RECORDING_S * RATE) / RATE
    for number in range(count):
        rng = np.random.default_rng(number)
        noise = np.cumsum(rng.normal(0, 0.02, len(time)))
        wave = 0.1 * np.sin(2 * np.pi * (500 + 90 * number) * time) + 0.01 * np.diff(
            noise, append=0
        )
        soundfile.write(folder / f"recordings/{number}.flac", wave, RATE, subtype="PCM_16")
        for call in range(16):
            begin = 3.5 * call
            rows.append(f"{number}.flac,{'abcd'[call % 4]},{begin},{begin + 2}")
    (folder / "annotations.csv").write_text("\n".join(rows) + "\n")


def write_arrays(folder: Path, count: int) -> None:
    """Pictures of 28 by 28 and a digit each, as MNIST has them, in an .npz file."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    x = rng.integers(0, 256, (count, 28, 28), np.uint8)
    np.savez(folder / "arrays.npz", x=x, y=rng.integers(0, 10, count, np.uint8))


def cells(ids: int, side: int, rows: int) -> list[tuple[int, ...]]:
    """Rows (user_id, x, y, value) of a table: `rows` cells of a matrix of `side`² for each id."""
    rng = np.random.default_rng(0)
    places = np.argsort(rng.random((ids, side * side)), axis=1)[:, :rows]
    table = np.empty((ids, rows, 4), np.int64)
    table[..., 0] = np.arange(ids)[:, None]
    table[..., 1], table[..., 2] = places // side, places % side
    table[..., 3] = rng.integers(-7, 7, (ids, rows))
    return [tuple(row) for row in table.reshape(-1, 4).tolist()]


def write_cells(folder: Path, ids: int, side: int, rows: int) -> None:
    """The same as a SQLite file, kept in the order of its key."""
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "cells.sqlite") as file:
        file.execute(
            "CREATE TABLE cells (user_id INT, x INT, y INT, value INT, "
            "PRIMARY KEY (user_id, x, y)) WITHOUT ROWID"
        )
        file.executemany("INSERT INTO cells VALUES (?, ?, ?, ?)", cells(ids, side, rows))
    file.close()


def write_csv(folder: Path, rows: int) -> None:
    """Four measurements and one of three names in each line, as in the iris table."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    values, names = rng.uniform(0, 8, (rows, 4)), rng.integers(0, 3, rows)
    with (folder / "rows.csv").open("w") as file:
        file.write("a,b,c,d,species\n")
        for (a, b, c, d), name in zip(values.tolist(), names.tolist(), strict=True):
            species = ("setosa", "versicolor", "virginica")[name]
            file.write(f"{a:.1f},{b:.1f},{c:.1f},{d:.1f},{species}\n")
