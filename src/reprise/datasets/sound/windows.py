"""Annotations of long recordings from a table, and the windows around them."""

import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

import numpy as np

from reprise.datasets.base import find_problems
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
    numbers: np.ndarray  # of each row in the table, from 0
    notes: tuple[str, ...] = ()  # what is not read, and what was assumed, a line each

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, row: int) -> str:
        """Name a row by its line in the table."""
        return row_place(self.file, int(self.numbers[row]))

    def name(self, row: int) -> str:
        """Name a row by its recording and times: 'george_00.flac 0.75-1.16 s'."""
        start, stop = (
            np.format_float_positional(time[row], trim="-") for time in (self.start, self.stop)
        )
        return f"{self.recordings[self.recording[row]]} {start}-{stop} s"


def read_annotations(
    path: str,
    columns: Mapping[Column, str],
    suffix: str,
    group_by: str | None,
    folder: Path | None = None,
) -> Annotations:
    """Read annotations from a CSV or Parquet file with a row for each; see `MelSpectrogram`.

    Args:
        path: The file.
        columns: Names of its columns.
        suffix: Appended to names of recordings.
        group_by: Column of groups; None for the recording.
        folder: Of the recordings. A name that is no file in it stands for the only file that
            differs from it in case, Unicode form, separators (\\ for /) or a missing ending alone.

    Raises:
        UserError: the table or a column is missing, a cell is empty or no number, or times are
            negative or not ascending; the line is named.
    """
    table = read_table(path, "dataset.annotations")
    _refuse_label_track(table, columns)
    texts = table.present(columns["recording"], "dataset.columns.recording")
    files = {text: text + suffix for text in dict.fromkeys(texts)}
    notes = []
    if folder is not None:
        others = _other_spellings(set(files.values()), folder)
        files = {text: others.get(file, file) for text, file in files.items()}
        if others:
            name, file = next(iter(others.items()))
            what = f"{len(others)} recordings are named otherwise in the table than their files"
            notes.append(f"{what}, and were found by their meaning: {file!a} for {name!a}")
    first: dict[str, str] = {}  # how each file is spelled where it stands first
    spelled = {text: first.setdefault(file, text) for text, file in files.items()}
    recordings, recording = np.unique([files[text] for text in texts], return_inverse=True)
    start, stop = _times(table, columns)
    labels = table.present(columns["label"], "dataset.columns.label")
    groups = (
        [spelled[text] for text in texts]
        if group_by is None
        else table.present(group_by, "dataset.group_by")
    )
    for column in table.frame:
        if str(column).casefold() in ("channel", "chan", "ch") and column not in columns.values():
            what = f"column '{column}' of {table.file} is not read"
            notes.append(f"{what}: dataset.channel is one for all annotations")
    names = tuple(recordings.tolist())
    return Annotations(
        table.file,
        names,
        recording,
        start,
        stop,
        tuple(labels),
        tuple(groups),
        table.frame.index.to_numpy(),
        tuple(notes),
    )


def _other_spellings(names: set[str], folder: Path) -> dict[str, str]:
    """For names that are no file in the folder the one file that they mean, where there is one."""
    missing = sorted(name for name in names if not (folder / name).is_file())
    if not missing:
        return {}
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.name.startswith(".") and path.is_file():
            name = path.relative_to(folder).as_posix()
            for key in {_meaning(name), _meaning(name.removesuffix(path.suffix))}:
                found.setdefault(key, set()).add(name)
    meant = {name: found.get(_meaning(name), set()) for name in missing}
    return {name: min(files) for name, files in meant.items() if len(files) == 1}


def _meaning(name: str) -> str:
    name = unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()
    return posixpath.normpath(name)


def _refuse_label_track(table: Table, columns: Mapping[Column, str]) -> None:
    """Refuse what Audacity exports: no header, and one recording for each file."""
    header = [str(name) for name in table.frame]
    if len(header) == 3 and columns["recording"] not in header:
        with suppress(ValueError):
            float(header[0]), float(header[1])
            order = [columns[name] for name in ("t_min", "t_max", "label", "recording")]
            raise UserError(
                f"dataset.annotations: {table.file} is a label track of Audacity",
                "a table with a header, that names the recording in each row",
                "  ".join(header),
                f"write a line '{' '.join(order)}', with tabs, at its top, and the recording "
                "at the end of each row; docs/your_recordings.md joins many label tracks",
            )


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
            others = [row for row in rows if annotations.labels[row] != annotations.labels[rows[0]]]
            if others:
                raise UserError(
                    f"{name} is annotated twice",
                    "one row, and one class, for each stretch of a recording",
                    " and ".join(
                        f"{annotations.place(row)} ('{annotations.labels[row]}')"
                        for row in (rows[0], others[0])
                    ),
                    "take one of them out, or set dataset.target=labels",
                )
    return np.array([rows[0] for rows in spans.values()]), targets


def _times(table: Table, columns: Mapping[Column, str]) -> tuple[np.ndarray, np.ndarray]:
    start, stop = (_seconds(table, columns, column).round(6) for column in ("t_min", "t_max"))
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
        headers: dict[int, RecordingHeader] = {}
        recordings, firsts = np.unique(annotations.recording[rows], return_index=True)

        def look_at_recording(at: int) -> None:
            path = self.folder / annotations.recordings[recordings[at]]
            require_end(path)
            header = read_header(path)
            require_channel(path, header, self.channel)
            headers[int(recordings[at])] = header

        problems = find_problems(look_at_recording, len(recordings))
        good = [row for row in rows.tolist() if annotations.recording[row] in headers]
        listened = set(rows.tolist() if thorough else rows[firsts].tolist())
        heard: dict[int, Heard] = {}

        def look_at_window(at: int) -> None:
            row = good[at]
            header = headers[int(annotations.recording[row])]
            self._require_inside(row, header)
            if self.edges == "clamp":
                self._require_fit(row, header)
            if row in listened and (thorough or header.channels > 1):
                frames = self._frames(row, header)
                if len(frames):
                    heard[row] = hear(frames)

        problems += find_problems(look_at_window, len(good))
        sounds = self._sounds(heard)
        names = {number: annotations.recordings[number] for number in sorted(headers)}

        numbers = list(sounds)

        def look_at_channels(at: int) -> None:
            number = numbers[at]
            if self.channel == "mean" and is_cancelled(*sounds[number]):
                self._raise_cancelled(names[number], headers[number])

        problems += find_problems(look_at_channels, len(sounds))
        read = {name: headers[number] for number, name in names.items()}
        counts = {name: header.channels for name, header in read.items()}
        notes = channel_notes(
            self.channel, {names[n]: sound for n, sound in sounds.items()}, counts
        )
        if thorough:
            notes += window_notes({annotations.name(row): heard[row] for row in sorted(heard)})
        return Checked(problems, notes, read)

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

    def _sounds(self, heard: Mapping[int, Heard]) -> dict[int, tuple[np.ndarray, float]]:
        """Powers of the channels and of their mean, of all windows heard of a recording."""
        sounds: dict[int, tuple[np.ndarray, float]] = {}
        for row, one in sorted(heard.items()):
            number = int(self.annotations.recording[row])
            powers, mean_power = sounds.get(number, (0.0, 0.0))
            sounds[number] = powers + one.powers, mean_power + one.mean_power
        return sounds

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
    def _rows_of(self) -> list[np.ndarray]:
        """Rows of each recording."""
        order = np.argsort(self.annotations.recording, kind="stable")
        counts = np.bincount(self.annotations.recording)
        return np.split(order, np.cumsum(counts)[:-1])

    def _path(self, row: int) -> Path:
        return self.folder / self.annotations.recordings[self.annotations.recording[row]]

    def _raise_cancelled(self, recording: str, header: RecordingHeader) -> NoReturn:
        raise UserError(
            f"{self.folder / recording}: its channels cancel each other, their mean is silence",
            "channels of the same polarity, or one of them: dataset.channel=0",
            f"{header.channels} channels that are each other's opposite",
            "set dataset.channel=0, which reads one channel",
        )

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


def _seconds(table: Table, columns: Mapping[Column, str], column: Column) -> np.ndarray:
    """A column of times: seconds, or 'm:s' and 'h:m:s'."""
    name, key = columns[column], f"dataset.columns.{column}"
    texts = table.texts(name, key)
    if not any(":" in text for text in texts):
        return table.numbers(name, key)
    seconds = [_of_clock(text) if ":" in text else text for text in texts]
    return replace(table, frame=table.frame.assign(**{name: seconds})).numbers(name, key)


def _of_clock(text: str) -> str:
    """'1:02.5' as '62.5'; other text as it is."""
    match = re.fullmatch(r"(?:(\d+):)?(\d+):(\d\d?(?:\.\d*)?)", text)
    if not match:
        return text
    hours, minutes, seconds = match.groups(default="0")
    return repr(round(3600 * int(hours) + 60 * int(minutes) + float(seconds), 6))
