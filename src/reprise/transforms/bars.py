"""Numbers as bars: what a row of a table, or any list of numbers, looks like."""

from collections.abc import Sequence

import cv2
import numpy as np

from reprise.spec import Spec
from reprise.transforms.caption import WHITE, written

_MOST = 12  # rows that are shown
_LINE, _TEXT, _BARS = 16, 176, 96  # pixels: height of a row, width of its text and of its bar
_FAR = 3.0  # deviations from the mean at which a bar is full
_UP, _DOWN = (90, 200, 250), (250, 170, 90)


def scaled(x: np.ndarray, spec: Spec) -> np.ndarray:
    """An array as a model takes it, about -1 to 1: less `spec.offset`, over `spec.scale`."""
    largest = np.iinfo(spec.dtype).max if np.dtype(spec.dtype).kind == "u" else 1.0
    offset, scale = np.array(spec.offset or 0.0), np.array(spec.scale or largest)
    return (np.asarray(x, np.float64) - offset) / scale


def columns(values: np.ndarray) -> np.ndarray:
    """Draw any number of values as columns up or down from the middle, in their own range.

    Args:
        values: Shape (count,); where there are more than pixels, some are left out.

    Returns:
        RGB, shape (112, 224, 3), uint8.
    """
    page = np.zeros((112, 224, 3), np.uint8)
    places = np.linspace(0, max(len(values), 1), 224, endpoint=False).astype(int)
    shown = values[places] if len(values) else np.zeros(224)
    tops = 56 - np.rint(shown / (np.abs(shown).max() or 1.0) * 52).astype(int)
    for at, top in enumerate(tops.tolist()):
        color = _UP if top <= 56 else _DOWN
        page[min(top, 56) : max(top, 56) + 1, at] = color
    return page


def rows(names: Sequence[str], x: np.ndarray, spec: Spec) -> np.ndarray:
    """Draw named values, each as its name, its number, and a bar that says how unusual it is.

    Args:
        names: One for each value.
        x: Shape (count,).
        spec: With the offset and scale that bars are measured by: they are full at 3 scales. Where
            it has none, the largest of the values is full.

    Returns:
        RGB, shape (height, 272, 3), uint8; at most 12 rows of 16 pixels.
    """
    lines = [(f"{name} {value:.4g}", WHITE) for name, value in zip(names, x, strict=True)]
    if len(lines) > _MOST:
        lines = [*lines[: _MOST - 1], (f"and {len(lines) - _MOST + 1} more", WHITE)]
    text = written(lines, (_LINE * len(lines) + 4, _TEXT))
    page = np.zeros((len(text), _BARS, 3), np.uint8)
    half = _BARS // 2
    full = _FAR if spec.scale else float(np.abs(x).max(initial=0.0)) or 1.0
    for at, value in enumerate(scaled(x, spec)[: min(len(lines), _MOST)]):
        if at == _MOST - 1 and len(names) > _MOST:
            break  # its line stands for several
        end = half + round(float(np.clip(value / full, -1, 1)) * (half - 2))
        corners = (min(half, end), at * _LINE + 4), (max(half, end), at * _LINE + _LINE - 2)
        cv2.rectangle(page, *corners, _UP if value >= 0 else _DOWN, -1)
    return np.concatenate([text, page], axis=1)
