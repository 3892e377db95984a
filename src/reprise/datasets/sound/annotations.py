"""Annotations of long recordings, from a table: what is heard in which, from when to when."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from reprise.datasets.tables.reading import Table, read_table, row_place
from reprise.errors import UserError

Column = Literal["recording", "label", "t_min", "t_max"]


@dataclass(frozen=True)
class Annotations:
    """Rows of a table, by column.

    Args:
        file: Of the table.
        recordings: Names of the files that are annotated, sorted.
        recording: Which of these each row is about, shape (rows,), int64.
        start: Seconds from the beginning of the recording, in whole microseconds, float64.
        stop: Likewise, where what is heard ends; above `start`.
        labels: What is heard.
        groups: What must not stand on both sides of a split.
    """

    file: Path
    recordings: tuple[str, ...]
    recording: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    labels: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, row: int) -> str:
        """Name a row by its line in the file."""
        return row_place(self.file, row)

    def name(self, row: int) -> str:
        """Name a row by what it is about: 'george_00.flac 0.75-1.16 s'."""
        start, stop = (
            np.format_float_positional(time[row], trim="-") for time in (self.start, self.stop)
        )
        return f"{self.recordings[self.recording[row]]} {start}-{stop} s"

    def rows_by_span(self) -> dict[str, list[int]]:
        """Rows of each stretch of a recording, in the order of the table, by name."""
        rows: dict[str, list[int]] = {}
        for row in range(len(self)):
            rows.setdefault(self.name(row), []).append(row)
        return rows


def read_annotations(
    path: str, columns: Mapping[Column, str], suffix: str, group_by: str | None
) -> Annotations:
    """Read annotations from a CSV or Parquet file with a row for each.

    Args:
        path: The table.
        columns: Name of the column of each kind.
        suffix: Put behind the names in the table, to make those of files.
        group_by: Column of the groups; None for the recording.

    Raises:
        UserError: the table or a column is missing, a cell is empty or no number, or a time is
            negative or not after the one before it; the line is named.
    """
    table = read_table(path, "dataset.annotations")
    texts = table.present(columns["recording"], "dataset.columns.recording")
    recordings, recording = np.unique([text + suffix for text in texts], return_inverse=True)
    start, stop = _times(table, columns)
    labels = table.present(columns["label"], "dataset.columns.label")
    groups = texts if group_by is None else table.present(group_by, "dataset.group_by")
    names = tuple(recordings.tolist())
    return Annotations(table.file, names, recording, start, stop, tuple(labels), tuple(groups))


def _times(table: Table, columns: Mapping[Column, str]) -> tuple[np.ndarray, np.ndarray]:
    start = table.numbers(columns["t_min"], "dataset.columns.t_min").round(6)
    stop = table.numbers(columns["t_max"], "dataset.columns.t_max").round(6)
    wrong = np.flatnonzero((start < 0) | (start >= stop))
    if len(wrong):
        row = int(wrong[0])
        more = f", and so in {len(wrong) - 1} more rows" if len(wrong) > 1 else ""
        raise UserError(
            f"{table.place(row)}: this is no stretch of time",
            f"0 <= {columns['t_min']} < {columns['t_max']}, in seconds from the beginning",
            f"{columns['t_min']}={start[row]:g} {columns['t_max']}={stop[row]:g}{more}",
            "correct the row, or take it out",
        )
    return start, stop
