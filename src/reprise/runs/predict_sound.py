"""What is heard when: detections from the stored scores of a recording's windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.errors import UserError
from reprise.files import write_text
from reprise.runs.predict_masks import file_names

if TYPE_CHECKING:
    from reprise.datasets.sound.unlabelled import SoundWindows


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
