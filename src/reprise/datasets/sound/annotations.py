"""Annotations of long recordings, from a table: times, labels, and the files that names mean."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from reprise.datasets.splits import folded, seen
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
        same: dict[str, str] = {}  # './a.wav' and 'a.wav' are one recording
        files = {
            text: same.setdefault(posixpath.normpath(str(folder / file)), file)
            for text, file in files.items()
        }
    first: dict[str, str] = {}  # how each file is spelled where it stands first
    spelled = {text: first.setdefault(file, text) for text, file in files.items()}
    recordings, recording = np.unique([files[text] for text in texts], return_inverse=True)
    start, stop = _times(table, columns)
    labels = table.present(columns["label"], "dataset.columns.label")
    if group_by is None:
        groups = [spelled[text] for text in texts]
    else:
        looks: dict[str, str] = {}  # groups that look the same are one
        own = table.present(group_by, "dataset.group_by")
        groups = [looks.setdefault(seen(text), text) for text in own]
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
    return posixpath.normpath(folded(name))


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


def _seconds(table: Table, columns: Mapping[Column, str], column: Column) -> np.ndarray:
    """A column of times: seconds, or 'm:s' and 'h:m:s'."""
    name, key = columns[column], f"dataset.columns.{column}"
    texts = table.texts(name, key)
    for at, text in enumerate(texts):
        if re.fullmatch(r"\d+,\d+", text):
            raise UserError(
                f"{table.place(at)}: a decimal comma stands in column '{name}'",
                f"a decimal point: {text.replace(',', '.')}",
                f"'{text}'",
                "save the table with points, as in English",
            )
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
