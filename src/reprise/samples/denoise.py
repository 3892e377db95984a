"""Make a deterministic table of matrices: smooth waves of whole numbers, -7 to 7, a row for a cell.

Writes matrices.csv (user_id, x, y, value), matrices.db (the same as a SQLite table `matrices`, with
its rows in the order of their key), and ids.txt: some ids there have no row. Only integers are
computed with, so that the same bytes come out on every machine.
"""

import argparse
import math
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

LARGEST = 7
WAVES = 3
PERIOD = 240  # steps of a whole wave
SINE = np.array([round(4096 * math.sin(2 * math.pi * at / PERIOD)) for at in range(PERIOD)])
EMPTY_EVERY = 50  # one id in so many has no rows
SCHEMA = """CREATE TABLE matrices (
    user_id INTEGER NOT NULL, x INTEGER NOT NULL, y INTEGER NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (user_id, x, y)
) WITHOUT ROWID"""
PAGE_SIZE, INTERIOR = 4096, (2, 5)
# What builds of SQLite set differently, and what would show in the file's bytes.
SETTINGS = (
    ("page_size", str(PAGE_SIZE)), ("auto_vacuum", "NONE"), ("encoding", "'UTF-8'"),
    ("secure_delete", "ON"), ("journal_mode", "MEMORY"),
)  # fmt: skip
HEADER_VERSION = slice(92, 100)  # of the library that wrote last, and when


def wave(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the product of a wave down the rows and one along the columns.

    Returns:
        Shape (size, size), int64, -4096 to 4096; at most one and a half waves from side to side.
    """
    steps = np.arange(size) * PERIOD // size
    down, right = (
        SINE[(steps * int(rng.integers(1, 4)) // 2 + int(rng.integers(PERIOD))) % PERIOD]
        for _ in range(2)
    )
    return down[:, None] * right[None, :] // 4096


def matrix(size: int, rng: np.random.Generator) -> np.ndarray:
    """A sum of waves, stretched so that its largest value is about -7 or 7.

    Returns:
        Shape (size, size), [y, x], int64, -7 to 7.
    """
    total = np.zeros((size, size), np.int64)
    for _ in range(WAVES):
        total += int(rng.integers(1, 5)) * wave(size, rng)
    peak = max(int(np.abs(total).max()), 1)
    return (2 * LARGEST * total + peak) // (2 * peak)  # rounds to the nearest


def rows(count: int, size: int, seed: int) -> Iterator[tuple[int, int, int, int]]:
    """Every row (user_id, x, y, value), ascending; a cell that holds 0 has none.

    Matrix number i, of user i, depends on the seed and i alone.
    """
    for user in range(count):
        if user % EMPTY_EVERY == EMPTY_EVERY - 1:
            continue
        values = matrix(size, np.random.default_rng([seed, user]))
        for x in range(size):
            for y in range(size):
                if values[y, x]:
                    yield user, x, y, int(values[y, x])


def write_database(path: Path, content: list[tuple[int, int, int, int]]) -> None:
    """Write the table as a SQLite file of the same bytes everywhere."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name, value in SETTINGS:
            connection.execute(f"PRAGMA {name} = {value}")
        connection.execute("BEGIN")
        connection.execute(SCHEMA)
        connection.executemany("INSERT INTO matrices VALUES (?, ?, ?, ?)", content)
        connection.execute("COMMIT")
    path.write_bytes(without_leftovers(path.read_bytes()))


def without_leftovers(written: bytes) -> bytes:
    """Clear what a database file tells of the library that wrote it, none of which is ever read.

    That is its version, and in each page the gap between the pointers to its cells and the first
    cell (https://www.sqlite.org/fileformat2.html, 1.3 and 1.6).
    """
    content = bytearray(written)
    content[HEADER_VERSION] = bytes(8)
    for page in range(0, len(content), PAGE_SIZE):
        start = page + (100 if page == 0 else 0)
        kind, cells, first = struct.unpack_from(">BxxHH", content, start)
        low, high = start + (12 if kind in INTERIOR else 8) + 2 * cells, page + first
        content[low:high] = bytes(high - low)
    return bytes(content)


def write_set(out: Path, count: int, size: int, seed: int) -> None:
    """Write matrices.csv, matrices.db and ids.txt to `out`, complete or not at all.

    Args:
        out: Folder to make.
        count: Number of ids, with and without rows.
        size: Rows and columns of a matrix.
        seed: Another one, other matrices.
    """
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    content = list(rows(count, size, seed))
    lines = ["user_id,x,y,value", *(",".join(map(str, row)) for row in content)]
    (partial / "matrices.csv").write_bytes(("\n".join(lines) + "\n").encode())
    (partial / "ids.txt").write_bytes("".join(f"{user}\n" for user in range(count)).encode())
    write_database(partial / "matrices.db", content)
    partial.rename(out)


def main() -> None:
    """Read the command line and write the set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--count", type=int, default=3000, help="number of ids")
    parser.add_argument("--size", type=int, default=16, help="rows and columns of a matrix")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other matrices")
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} exists already: remove it, or choose another folder")
    if options.count < 1 or not 2 <= options.size <= PERIOD:
        parser.error(f"--count must be 1 or more, and --size 2 to {PERIOD}")
    write_set(options.out, options.count, options.size, options.seed)


if __name__ == "__main__":
    main()
