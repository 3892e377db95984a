"""Annotations of long recordings from a table: labels of stretches of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from reprise.datasets.tables import Table, read_table, row_place
from reprise.datasets.targets import Targets, class_targets, label_targets
from reprise.errors import UserError

Column = Literal["recording", "label", "t_min", "t_max"]


@dataclass(frozen=True)
class Annotations:
    """Rows of a table of annotations, by column."""

    file: Path
    recordings: tuple[str, ...]  # names of the annotated files, sorted
    recording: np.ndarray  # index into `recordings` of each row, shape (rows,), int64
    start: np.ndarray  # in seconds from the recording's beginning, to the microsecond, float64
    stop: np.ndarray  # likewise, above `start`
    labels: tuple[str, ...]  # of each row
    groups: tuple[str, ...]  # of each row; rows of one group must be in one split

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, row: int) -> str:
        """Name a row by its line in the table."""
        return row_place(self.file, row)

    def name(self, row: int) -> str:
        """Name a row by its recording and times: 'george_00.flac 0.75-1.16 s'."""
        start, stop = (
            np.format_float_positional(time[row], trim="-") for time in (self.start, self.stop)
        )
        return f"{self.recordings[self.recording[row]]} {start}-{stop} s"


def read_annotations(
    path: str, columns: Mapping[Column, str], suffix: str, group_by: str | None
) -> Annotations:
    """Read annotations from a CSV or Parquet file with a row for each; see `MelSpectrogram`.

    Raises:
        UserError: the table or a column is missing, a cell is empty or no number, or times are
            negative or not ascending; the line is named.
    """
    table = read_table(path, "dataset.annotations")
    texts = table.present(columns["recording"], "dataset.columns.recording")
    recordings, recording = np.unique([text + suffix for text in texts], return_inverse=True)
    start, stop = _times(table, columns)
    labels = table.present(columns["label"], "dataset.columns.label")
    groups = texts if group_by is None else table.present(group_by, "dataset.group_by")
    names = tuple(recordings.tolist())
    return Annotations(table.file, names, recording, start, stop, tuple(labels), tuple(groups))


def samples_of(
    annotations: Annotations, target: Literal["class", "labels"], classes: Sequence[str] | None
) -> tuple[np.ndarray, Targets]:
    """Make one sample of each stretch of time.

    Args:
        annotations: The rows.
        target: 'class' allows one row for a stretch; 'labels' allows several.
        classes: Labels in the order of their ids; None for those that occur, sorted.

    Returns:
        The first row of each sample, shape (samples,), int64; and the targets of all rows.

    Raises:
        UserError: a label is not in `classes`, or a stretch has several classes.
    """
    spans: dict[str, list[int]] = {}  # rows of each stretch of time
    for row in range(len(annotations)):
        spans.setdefault(annotations.name(row), []).append(row)
    if target == "labels":
        labels = [{label} for label in annotations.labels]
        targets = label_targets(labels, classes, annotations.place)
    else:
        targets = class_targets(annotations.labels, classes, annotations.place)
        for name, rows in spans.items():
            if len(rows) > 1:
                raise UserError(
                    f"{name} is annotated twice",
                    "one row, and one class, for each stretch of a recording",
                    " and ".join(
                        f"{annotations.place(row)} ('{annotations.labels[row]}')"
                        for row in rows[:2]
                    ),
                    "take one of them out, or set dataset.target=labels",
                )
    return np.array([rows[0] for rows in spans.values()]), targets


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
