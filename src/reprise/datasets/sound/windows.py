"""The windows around annotations of long recordings."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from reprise.datasets.base import find_problems
from reprise.datasets.sound.annotations import Annotations
from reprise.datasets.sound.findings import (
    Heard,
    channel_notes,
    hear,
    is_cancelled,
    window_notes,
)
from reprise.datasets.sound.recordings import (
    Channel,
    RecordingHeader,
    length_at,
    read_frames,
    read_header,
    read_slice,
    require_channel,
    require_end,
    span,
)
from reprise.datasets.tracked import require_pulled
from reprise.errors import UserError
from reprise.transforms.audio_augment import AudioChange

Edges = Literal["clamp", "pad"]
_ROUNDING = 0.01  # seconds by which t_max may exceed the length: tables often have two decimals


class Checked(NamedTuple):
    """What was found of windows and their recordings.

    Args:
        problems: What is wrong, one line each.
        notes: What is odd, or is not read, one line for each kind.
        headers: Of the recordings that can be read, by name.
    """

    problems: list[str]
    notes: list[str]
    headers: dict[str, RecordingHeader]


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
        channel: Number of the channel to read, from 0; 'mean' averages them all.
    """

    annotations: Annotations
    folder: Path
    length: int
    rate: int
    edges: Edges
    channel: Channel = "mean"

    def place(self, row: int, change: AudioChange) -> tuple[int, int]:
        """First sample and number of samples of a window, after its change; reads a header.

        Raises:
            UserError: the recording cannot be read, or is too short for 'clamp'.
        """
        length = round(self.length * change.tempo)
        return self._start(row, change.shift, length), length

    def around(self, row: int, length: int) -> np.ndarray:
        """Read the sound around the middle of a window: shape (length,), float32."""
        start = self._start(row, 0.0, length)
        return read_slice(self._path(row), start, length, self.rate, self.channel)

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

    def check(self, rows: np.ndarray, *, thorough: bool) -> Checked:
        """Look at windows and their recordings.

        Unless `thorough`, only the end of every recording is read, and of a recording with several
        channels one window.
        """
        annotations = self.annotations
        headers: dict[str, RecordingHeader] = {}
        recordings, firsts = np.unique(annotations.recording[rows], return_index=True)

        def look_at_recording(at: int) -> None:
            name = annotations.recordings[recordings[at]]
            path = self.folder / name
            if not path.is_file():
                require_pulled(path)
                raise UserError(
                    f"{path} cannot be read",
                    f"one of the files in {self.folder}: {self._files_there}",
                    "no such file",
                    "correct the table, dataset.recordings or dataset.suffix",
                )
            require_end(path)
            header = read_header(path)
            require_channel(path, header, self.channel)
            headers[name] = header

        problems = find_problems(look_at_recording, len(recordings))
        good = [row for row in rows.tolist() if self._recording(row) in headers]
        listened = set(rows.tolist() if thorough else rows[firsts].tolist())
        heard: dict[int, Heard] = {}

        def look_at_window(at: int) -> None:
            row = good[at]
            header = headers[self._recording(row)]
            self._require_inside(row, header)
            if self.edges == "clamp":
                self._require_fit(row, header)
            if row in listened and (thorough or header.channels > 1):
                frames = self._frames(row, header)
                if len(frames):
                    heard[row] = hear(frames)

        problems += find_problems(look_at_window, len(good))
        sounds: dict[str, tuple[Any, float]] = {}  # powers of channels and mean, of all windows
        for row, one in sorted(heard.items()):
            powers, mean_power = sounds.get(self._recording(row), (0.0, 0.0))
            sounds[self._recording(row)] = powers + one.powers, mean_power + one.mean_power
        if self.channel == "mean":
            problems += [
                f"{self.folder / name}: its channels cancel each other: expected channels of the "
                "same polarity; received a mean that is silence; set dataset.channel=0, which "
                "reads one of them"
                for name, sound in sounds.items()
                if is_cancelled(*sound)
            ]
        headers = dict(sorted(headers.items()))
        counts = {name: header.channels for name, header in headers.items()}
        notes = channel_notes(self.channel, sounds, counts)
        if thorough:
            notes += window_notes({annotations.name(row): heard[row] for row in sorted(heard)})
        return Checked(problems, notes, headers)

    def table_notes(self, share: float | None) -> list[str]:
        """What the windows do not show of their annotations, one line each.

        Args:
            share: As in `heard`, where a window has one label only; None where it has them all.
        """
        annotations, window_s, notes = self.annotations, self.length / self.rate, []
        lengths = annotations.stop - annotations.start
        if longer := int((lengths > window_s + _ROUNDING).sum()):
            what = f"{longer} of {len(lengths)} annotations are longer than the window"
            said = f"their middle {window_s:g} s are read; the longest has {lengths.max():g} s"
            is_whole = not (annotations.start % 1).any() and not (annotations.stop % 1).any()
            asked = is_whole and np.median(lengths) > 20 * window_s
            notes.append(f"{what}: {said}" + ("; are these milliseconds?" if asked else ""))
        if share is not None and (mixed := self._with_another_label(share)):
            what = f"{mixed} of {len(lengths)} windows hold an annotation with another label, too"
            notes.append(f"{what} (overlap {share:g}); dataset.target=labels gives them all")
        return notes

    def _with_another_label(self, share: float) -> int:
        """Number of windows, not clamped, that hold `share` of an annotation with another label."""
        starts, stops = self.annotations.start, self.annotations.stop
        _, labels = np.unique(self.annotations.labels, return_inverse=True)
        window_s, count = self.length / self.rate, 0
        for rows in self._rows_of:
            rows = rows[np.argsort(starts[rows])]
            for at in range(0, len(rows), 512):
                own = rows[at : at + 512, None]
                first = (starts[own] + stops[own] - window_s) / 2
                near = rows[(starts[rows] < first.max() + window_s) & (stops[rows] > first.min())]
                common = np.minimum(stops[near], first + window_s) - np.maximum(starts[near], first)
                enough = common >= share * np.minimum(stops[near] - starts[near], window_s)
                count += int((enough & (labels[near] != labels[own])).any(axis=1).sum())
        return count

    def _frames(self, row: int, header: RecordingHeader) -> np.ndarray:
        """What is read of the file for a window: shape (samples, channels), float32."""
        start = self._start(row, 0.0, self.length)
        stop = min(start + self.length, length_at(header, self.rate))
        begin, end = span(header, max(0, start), stop, self.rate)
        return read_frames(self._path(row), begin, end)

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
    def _files_there(self) -> str:
        """The first few files of the folder, and how many there are."""
        files = (path for path in self.folder.rglob("[!.]*") if path.is_file())
        names = sorted(path.relative_to(self.folder).as_posix() for path in files)
        return ", ".join(names[:2]) + (f", … ({len(names)} in all)" if len(names) > 2 else "")

    @cached_property
    def _rows_of(self) -> list[np.ndarray]:
        """Rows of each recording."""
        order = np.argsort(self.annotations.recording, kind="stable")
        counts = np.bincount(self.annotations.recording)
        return np.split(order, np.cumsum(counts)[:-1])

    def _recording(self, row: int) -> str:
        return self.annotations.recordings[self.annotations.recording[row]]

    def _path(self, row: int) -> Path:
        return self.folder / self._recording(row)

    def _require_inside(self, row: int, header: RecordingHeader) -> None:
        stop = self.annotations.stop[row]
        if stop > header.seconds + _ROUNDING:
            raise UserError(
                f"{self.annotations.place(row)}: the annotation ends behind its recording",
                f"a time up to {header.seconds:g} s, the length of {self._path(row)}",
                self.annotations.name(row) + _unit(stop, header),
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


def _unit(stop: float, header: RecordingHeader) -> str:
    """The unit that a time behind the end of its recording may have; '' for none."""
    for unit, size in (("milliseconds", 1000), ("sample numbers", header.rate)):
        if stop > 2 * header.seconds and stop / size <= header.seconds:
            return f"; as {unit} it would be inside"
    return ""
