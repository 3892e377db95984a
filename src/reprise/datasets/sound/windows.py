"""Windows of one length around annotations: their times, their sound, and what is heard in them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from reprise.datasets.checks import find_problems
from reprise.datasets.sound.annotations import Annotations
from reprise.datasets.sound.recordings import (
    RecordingHeader,
    length_at,
    read_header,
    read_slice,
    require_end,
)
from reprise.errors import UserError
from reprise.transforms.audio_augment import AudioChange

Edges = Literal["clamp", "pad"]
_ROUNDING = 0.01  # seconds by which t_max may exceed the length: tables often have two decimals


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
