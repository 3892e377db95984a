"""The kinds of work that are measured: their data, their dataset, and who is measured on them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reprise.datasets.base import Dataset
from scripts.bench import data, datasets


@dataclass(frozen=True)
class Work:
    """One kind of work.

    Args:
        dtype: Of the model's input, as the engines hand it over.
        batch_size: Samples in a batch.
        write: Makes the data: folder, and how many samples in all or in quick mode.
        make: Makes the dataset from the folder (or, of a server, from its URL).
        engines: Who is measured in full mode, by name.
        quick: Those of them that quick mode measures; none leaves this work out.
        count: Samples (rows, ids, recordings) of full and of quick mode.
        plain: The dataset for engines whose name ends in "plain librosa".
        cells: Of a MariaDB server's table: sides of a matrix, and rows of each; None for files.
        limit: The engine that is the limit: 'limit' times the cores, or 'received' by itself; None
            for no limit.
    """

    dtype: str
    batch_size: int
    write: Callable[[Path, int], None]
    make: Callable[[str], Any]
    engines: tuple[str, ...]
    quick: tuple[str, ...]
    count: tuple[int, int]
    plain: Callable[[str], Dataset] | None = None
    cells: tuple[int, int] | None = None
    limit: str | None = None


PEERS = (
    "keras processes", "keras threads", "tf.data native", "tf.data our read", "grain processes",
    "torch numpy collate", "torch tensor collate", "seed",
)  # fmt: skip
SOUND_PEERS = (
    "keras processes", "keras threads", "keras processes plain librosa",
    "keras threads plain librosa", "tf.data native", "grain processes",
    "grain processes plain librosa", "torch tensor collate plain librosa", "seed",
)  # fmt: skip
OURS = ("limit", "reprise", "reprise threads", "reprise cached")
ARRAY_ENGINES = (
    "reprise no workers", "keras processes", "keras threads", "tf.data native", "grain processes",
    "torch batch sampler", "seed",
)  # fmt: skip
SQL_ENGINES = (
    "received", "reprise", "reprise no workers", "reprise block", "reprise block no workers",
    "reprise cached", "seed",
)  # fmt: skip
CSV_ENGINES = ("reprise", "tf.data native", "seed")
FIT_ENGINES = (
    "limit", "fit constant", "fit constant paced", "fit reprise", "fit reprise threads",
    "fit keras processes", "fit keras threads", "fit tf.data native",
)  # fmt: skip
QUICK_FIT = (
    "limit", "fit constant", "fit constant paced", "fit reprise", "fit keras processes",
)  # fmt: skip
QUICK_IMAGES = (
    "limit",
    "reprise",
    "reprise cached",
    "keras processes",
    "keras threads",
    "tf.data native",
    "seed",
)
QUICK_SOUND = (
    "limit", "reprise", "keras processes plain librosa", "keras threads plain librosa", "seed",
)  # fmt: skip
QUICK_ARRAYS = ("reprise no workers", "keras processes", "keras threads", "tf.data native", "seed")
QUICK_SQL = (
    "received", "reprise", "reprise no workers", "reprise block", "reprise cached", "seed",
)  # fmt: skip


def _sql(side: int, rows: int, count: tuple[int, int], quick: bool, server: bool) -> Work:
    write = partial(data.write_cells, side=side, rows=rows)
    cells = (side, rows) if server else None
    names = QUICK_SQL if quick else ()
    make = partial(datasets.matrices, side=side)
    return Work(
        "float32", 256, write, make, SQL_ENGINES, names, count, cells=cells, limit="received"
    )


def _images(dtype: str, make: Callable[[str], Dataset], quick: tuple[str, ...]) -> Work:
    names = tuple(name for name in OURS if quick or name != "reprise cached") + PEERS
    return Work(dtype, 8, data.write_images, make, names, quick, (80, 40), limit="limit")


def _arrays(batch_size: int, quick: tuple[str, ...]) -> Work:
    counts = (60_000, 60_000)
    return Work(
        "uint8", batch_size, data.write_arrays, datasets.arrays, ARRAY_ENGINES, quick, counts
    )


def _fit(
    dtype: str,
    write: Callable[[Path, int], None],
    make: Callable[[str], Dataset],
    count: tuple[int, int],
    quick: bool,
) -> Work:
    return Work(
        dtype, 8, write, make, FIT_ENGINES, QUICK_FIT if quick else (), count, limit="limit"
    )


WORKS = {
    "image_mask": _images("uint8", datasets.image_mask, QUICK_IMAGES),
    "image_mask_float32": _images("float32", datasets.float_images, ()),
    "mel_spectrogram": Work(
        "float32",
        8,
        data.write_recordings,
        datasets.mel,
        OURS + SOUND_PEERS,
        QUICK_SOUND,
        (4, 4),
        plain=datasets.plain_mel,
        limit="limit",
    ),
    "arrays_32": _arrays(32, ()),
    "arrays_256": _arrays(256, QUICK_ARRAYS),
    "sql_matrix_4x4": _sql(4, 4, (100_000, 20_000), True, False),
    "sql_matrix_32x32": _sql(32, 100, (10_000, 2_000), False, False),
    "mariadb_4x4": _sql(4, 4, (100_000, 20_000), False, True),
    "mariadb_32x32": _sql(32, 100, (10_000, 2_000), False, True),
    "csv_rows": Work(
        "float32",
        256,
        data.write_csv,
        datasets.csv_rows,
        CSV_ENGINES,
        CSV_ENGINES,
        (1_000_000, 200_000),
    ),
    "fit_image_mask": _fit("uint8", data.write_images, datasets.image_mask, (80, 40), True),
    "fit_mel_spectrogram": _fit("float32", data.write_recordings, datasets.mel, (4, 4), False),
}
