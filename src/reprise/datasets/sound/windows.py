"""Annotations of long recordings from a table, and the windows around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from reprise.datasets.base import find_problems
from reprise.datasets.sound.recordings import (
    RecordingHeader,
    length_at,
    read_header,
    read_slice,
    require_end,
)
from reprise.datasets.tables import Table, read_table, row_place
from reprise.datasets.targets import Targets, class_targets, label_targets
from reprise.errors import UserError
from reprise.transforms.audio_augment import AudioChange

Column = Literal["recording", "label", "t_min", "t_max"]
Edges = Literal["clamp", "pad"]
_ROUNDING = 0.01  # seconds by which t_max may exceed the length: tables often have two decimals


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
    """Make one sample of each stretch of time; `target` and `classes` as in `MelSpectrogram`.

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


@dataclass(frozen=True)
class Windows:
    """A window for each annotation, with the annotation in its middle.

    Args:
        annotations: The annotations.
        folder: Of the recordings.
        length: Of a window, in samples.
        rate: Sample rate, in Hz; recordings of other rates are resampled.
        edges: 'clamp' moves a window that exceeds the recording inside, and refuses a recording
            that is shorter than the window. 'pad' fills such a window with silence.
    """

    annotations: Annotations
    folder: Path
    length: int
    rate: int
    edges: Edges

    def place(self, row: int, change: AudioChange) -> tuple[int, int]:
        """First sample and number of samples of a window, after its change; reads a header.

        Raises:
            UserError: the recording cannot be read, or is too short for 'clamp'.
        """
        length = round(self.length * change.tempo)
        return self._start(row, change.shift, length), length

    def around(self, row: int, length: int) -> np.ndarray:
        """Read the sound around the middle of a window: shape (length,), float32."""
        return read_slice(self._path(row), self._start(row, 0.0, length), length, self.rate)

    def sound(self, around: np.ndarray, row: int, change: AudioChange) -> np.ndarray:
        """Cut a changed window out of `around`: shape (self.length,), float32."""
        start, length = self.place(row, change)
        start -= self._start(row, 0.0, len(around))
        return change.sound(around[start : start + length], self.length, self.rate)

    def heard(self, row: int, change: AudioChange, share: float) -> np.ndarray:
        """Rows of which at least `share` is inside a window: int64.

        `share` is a fraction of the annotation, or of the window if that is shorter.
        """
        start, length = self.place(row, change)
        first, last = start / self.rate, (start + length) / self.rate
        annotations = self.annotations
        rows = self._rows_of[annotations.recording[row]]
        own_first, own_last = annotations.start[rows], annotations.stop[rows]
        common = np.minimum(own_last, last) - np.maximum(own_first, first)
        # up to a millionth is lost by rounding times to samples
        return rows[common >= (share - 1e-6) * np.minimum(own_last - own_first, last - first)]

    def check(self, rows: np.ndarray, *, thorough: bool) -> list[str]:
        """Problems of windows and their recordings, one line each.

        Unless `thorough`, only the end of every recording is read, and no window.
        """
        headers: dict[int, RecordingHeader] = {}
        recordings = np.unique(self.annotations.recording[rows])

        def look_at_recording(at: int) -> None:
            path = self.folder / self.annotations.recordings[recordings[at]]
            require_end(path)
            headers[int(recordings[at])] = read_header(path)

        problems = find_problems(look_at_recording, len(recordings))
        good = [row for row in rows.tolist() if self.annotations.recording[row] in headers]

        def look_at_window(at: int) -> None:
            row = good[at]
            header = headers[int(self.annotations.recording[row])]
            self._require_inside(row, header)
            if self.edges == "clamp":
                self._require_fit(row, header)
            if thorough:
                self.around(row, self.length)

        return problems + find_problems(look_at_window, len(good))

    def _start(self, row: int, shift: float, length: int) -> int:
        """First sample of a window of this length, after 'clamp'."""
        middle = (self.annotations.start[row] + self.annotations.stop[row]) / 2 + shift
        start = round(middle * self.rate) - length // 2
        if self.edges == "clamp":
            header = read_header(self._path(row))
            self._require_fit(row, header)
            start = max(0, min(start, length_at(header, self.rate) - length))
        return start

    @cached_property
    def _rows_of(self) -> list[np.ndarray]:
        """Rows of each recording."""
        order = np.argsort(self.annotations.recording, kind="stable")
        counts = np.bincount(self.annotations.recording)
        return np.split(order, np.cumsum(counts)[:-1])

    def _path(self, row: int) -> Path:
        return self.folder / self.annotations.recordings[self.annotations.recording[row]]

    def _require_inside(self, row: int, header: RecordingHeader) -> None:
        stop = self.annotations.stop[row]
        if stop > header.seconds + _ROUNDING:
            raise UserError(
                f"{self.annotations.place(row)}: the annotation ends behind its recording",
                f"a time up to {header.seconds:g} s, the length of {self._path(row)}",
                f"{self.annotations.name(row)}",
                "correct the row, or take it out",
            )

    def _require_fit(self, row: int, header: RecordingHeader) -> None:
        have = length_at(header, self.rate)
        if have < self.length:
            raise UserError(
                f"{self._path(row)} is shorter than the window ({self.annotations.place(row)})",
                f"at least dataset.window_s={self.length / self.rate:g} s",
                f"{have / self.rate:g} s",
                "set dataset.edges=pad to have silence around it, or a shorter dataset.window_s",
            )
