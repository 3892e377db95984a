"""What is heard when: detections from the stored scores of a recording's windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.datasets.drawing import plain_text
from reprise.errors import UserError
from reprise.files import replacing, write_text
from reprise.runs.predict_masks import file_names

if TYPE_CHECKING:
    from reprise.datasets.sound.unlabelled import SoundWindows

_ROW_S, _ROWS = 15, 4  # of a spectrogram's picture: seconds of a row, and rows


def detections(
    windows: SoundWindows,
    scores: np.ndarray,
    classes: Sequence[str],
    thresholds: Mapping[str, float],
    merge_s: float | None,
) -> pd.DataFrame:
    """Windows whose score is high enough, neighbours with one class as one.

    Args:
        windows: The windows.
        scores: Shape (windows, classes), float32; NaN where a window could not be read.
        classes: Their names.
        thresholds: For each class the least score, inclusive.
        merge_s: Longest gap, in seconds, between windows that become one detection; 0 merges those
            that overlap or touch, None none.

    Returns:
        Columns file, start, end (in seconds), class, and score, the highest of what was merged;
        ordered by file, start and class.
    """
    names = windows.came_in()["file"]
    gap = -np.inf if merge_s is None else merge_s * windows.rate
    rows: list[tuple[int, int, int, int, float]] = []
    for number, name in enumerate(classes):
        last: list[float] = []  # file, start, stop, score of the one that may grow
        for at in np.flatnonzero(scores[:, number] >= thresholds[name]).tolist():
            file, start, stop = (int(a[at]) for a in (windows.file, windows.start, windows.stop))
            score = float(scores[at, number])
            if last and last[0] == file and start - last[2] <= gap:
                last[2], last[3] = max(last[2], stop), max(last[3], score)
                continue
            if last:
                rows.append((int(last[0]), int(last[1]), int(last[2]), number, last[3]))
            last = [file, start, stop, score]
        if last:
            rows.append((int(last[0]), int(last[1]), int(last[2]), number, last[3]))
    rows.sort()
    first = {int(file): name for file, name in zip(windows.file, names, strict=True)}
    return pd.DataFrame(
        {
            "file": [first[row[0]] for row in rows],
            "start": [row[1] / windows.rate for row in rows],
            "end": [row[2] / windows.rate for row in rows],
            "class": [classes[row[3]] for row in rows],
            "score": np.array([row[4] for row in rows], np.float32),
        }
    )


def write_labels(found: pd.DataFrame, files: Sequence[str], folder: Path, kind: str) -> None:
    """Write the detections of each recording as another program reads them.

    Args:
        found: From `detections`.
        files: Names of all recordings: one without detections gets an empty file.
        folder: Gets `raven/NAME.selections.txt` or `audacity/NAME.txt`.
        kind: 'raven': a selection table, of all frequencies. 'audacity': a label track.
    """
    own = dict(list(found.groupby("file")))
    for file, name in zip(files, file_names(files), strict=True):
        rows = own.get(file, found[:0])
        if kind == "audacity":
            lines = [
                f"{start:.6f}\t{end:.6f}\t{label}"
                for start, end, label in zip(rows["start"], rows["end"], rows["class"], strict=True)
            ]
            write_text(folder / kind / f"{name}.txt", "".join(f"{line}\n" for line in lines))
            continue
        head = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Class", "Score"]
        lines = ["\t".join(head)]
        for number, row in enumerate(rows.itertuples(index=False), 1):
            times = f"{row[1]:.6f}\t{row[2]:.6f}"
            lines.append(f"{number}\tSpectrogram 1\t1\t{times}\t{row[3]}\t{row[4]:.4f}")
        path = folder / kind / f"{name}.selections.txt"
        write_text(path, "".join(f"{line}\n" for line in lines))


def write_spectrograms(
    windows: SoundWindows, found: pd.DataFrame, classes: Sequence[str], folder: Path
) -> None:
    """Draw each recording as the model sees it, with its detections: a picture for each minute.

    Args:
        windows: The recordings.
        found: From `detections`.
        classes: Their names.
        folder: Gets `spectrograms/NAME.png`, or of more than a minute `NAME/00060s.png`.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(windows.came_in()["file"]))
    own = dict(list(found.groupby("file")))
    for number, (name, file) in enumerate(zip(names, file_names(names), strict=True)):
        end_s = float(windows.stop[windows.file == number].max() / windows.rate)
        for first in range(0, int(np.ceil(end_s)), _ROW_S * _ROWS):
            begins = [at for at in range(first, first + _ROW_S * _ROWS, _ROW_S) if at < end_s]
            figure = Figure(figsize=(12, 0.3 + 1.7 * len(begins)), layout="constrained")
            cells = figure.subplots(len(begins), squeeze=False)[:, 0]
            for axes, begin in zip(cells, begins, strict=True):
                start, length = begin * windows.rate, _ROW_S * windows.rate
                try:
                    x = windows.stretch(number, start, length)
                except UserError:  # listed with what cannot be read
                    continue
                ends = begin, begin + _ROW_S, 0, len(x)
                axes.imshow(x[..., 0], origin="lower", aspect="auto", extent=ends)
                height, ends_s = len(x) / 7, list[float]()  # of rows of bars, none over another
                for _, low, high, label, score in own.get(name, found[:0]).itertuples(index=False):
                    if low >= begin + _ROW_S or high <= begin:
                        continue
                    row = next((at for at, end in enumerate(ends_s) if end <= low), len(ends_s))
                    ends_s[row : row + 1] = [high]
                    color = colormaps["tab10"](classes.index(label) % 10)
                    bottom = len(x) + row * height
                    axes.broken_barh([(low, high - low)], (bottom, 0.9 * height), color=color)
                    text = f" {plain_text(label, 16)} {score:.2f}"
                    place = max(low, begin), bottom + 0.4 * height
                    axes.text(*place, text, size=7, color="white", va="center", clip_on=True)
                axes.set_ylim(0, len(x) + len(ends_s) * height)
                axes.set_xlim(begin, begin + _ROW_S)
                axes.tick_params(labelsize=7, labelleft=False, left=False)
            cells[-1].set_xlabel("s", fontsize=7)
            one = f"{file}.png" if end_s <= _ROW_S * _ROWS else f"{file}/{first:05d}s.png"
            path = folder / "spectrograms" / one
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial:
                figure.savefig(partial, dpi=90)


def read_thresholds(asked: str, classes: Sequence[str], usual: Sequence[float]) -> dict[str, float]:
    """Thresholds of all classes, as typed: `0.7`, or `owl:0.9,frog:0.4` for some of them.

    Args:
        asked: What was typed.
        classes: Their names.
        usual: Of each class, where nothing was typed of it.

    Raises:
        UserError: a class or a number is none.
    """
    found = dict(zip(classes, map(float, usual), strict=True))
    for part in asked.split(",") if asked else ():
        name, colon, text = part.rpartition(":")
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not 0 <= value <= 1 or (colon and name not in classes) or (not colon and "," in asked):
            raise UserError(
                f"threshold={asked} cannot be read",
                "a number from 0 to 1, or some classes with one each, as "
                f"{classes[0]}:0.7,{classes[-1]}:0.4; classes are {', '.join(classes)}",
                part,
                "correct it",
            )
        found |= {name: value} if colon else dict.fromkeys(classes, value)
    return found
