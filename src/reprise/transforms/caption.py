"""Words on pictures: a sample beside its label, and the model's answer in green or red.

Every function gives RGB, shape (height, width, 3), uint8, and for the same sizes the same shape.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reprise.spec import Spec

WHITE, GREY, GREEN, RED = (255, 255, 255), (150, 150, 150), (80, 220, 100), (255, 90, 90)
Line = tuple[str, tuple[int, int, int]]  # text and its colour
_MIN_SIDE, _MAX_SIDE = 112, 560  # pixels: enlarged to the one, but not over the other
_MIN_PANEL = 144  # pixels: room for a name and its probability
_LINES = 3  # of a caption, where a sample may have several labels or values
_SURE = 0.5  # from this probability on, a label of several counts as said


def labelled(
    picture: np.ndarray, spec: Spec, y: np.ndarray, prediction: np.ndarray | None = None
) -> np.ndarray:
    """Draw a sample with its target under it and, if given, the model's answer to the right.

    Args:
        picture: The sample, RGB, shape (height, width, 3), uint8; small ones are enlarged.
        spec: Of the target: one class, some of several classes, or values.
        y: The target, of `spec.shape`.
        prediction: A probability for each class, or values of `spec.shape`; None to leave it out.

    Returns:
        RGB, of one shape for pictures of one shape; wider with a prediction.
    """
    picture = enlarged(picture)
    width, truth = picture.shape[1], _truth(spec, y)
    size = max(12, width // 24)
    strip = written(truth, ((size + 4) * len(truth) + 6, width), size)
    drawn = np.concatenate([picture, strip])
    if prediction is None:
        return drawn
    panel = (len(drawn), max(_MIN_PANEL, width // 2))
    return np.concatenate([drawn, written(_answer(spec, y, prediction), panel, size)], axis=1)


def enlarged(picture: np.ndarray) -> np.ndarray:
    """Repeat the pixels of a small picture until its shorter side has 112, or the longer 560."""
    sides = picture.shape[:2]
    factor = max(1, min(-(-_MIN_SIDE // min(sides)), _MAX_SIDE // max(sides)))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def heat_map(values: np.ndarray, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Show a matrix in the colours of viridis, dark blue for `low` to yellow for `high`.

    Args:
        values: Shape (height, width), any numbers; what is not finite counts as `low`.
        low: Value of the darkest colour; None for the smallest of `values`.
        high: Value of the brightest colour; None for the largest of `values`.

    Returns:
        RGB, shape (height, width, 3), uint8; a constant matrix is dark throughout.
    """
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    low = float(finite.min() if finite.size else 0) if low is None else low
    high = float(finite.max() if finite.size else 0) if high is None else high
    part = (np.where(np.isfinite(values), values, low) - low) / (high - low or 1.0)
    bytes_ = (np.nan_to_num(part).clip(0, 1) * 255).astype(np.uint8)
    return cv2.applyColorMap(bytes_, cv2.COLORMAP_VIRIDIS)[..., ::-1]


def written(lines: Sequence[Line], shape: tuple[int, int], size: int = 12) -> np.ndarray:
    """Write lines of text on black, from the top; what has no room is cut, with '…' in a line.

    Args:
        lines: Texts and their colours.
        shape: Height and width of the page, in pixels.
        size: Of the font, in pixels; a line takes 4 more.

    Returns:
        RGB, shape (*shape, 3), uint8.
    """
    page = Image.new("RGB", shape[::-1])
    draw = ImageDraw.Draw(page)
    for at, (text, color) in enumerate(lines):
        draw.text((4, 2 + at * (size + 4)), _cut(text, shape[1] - 8, size), color, _font(size))
    return np.array(page)


def _truth(spec: Spec, y: np.ndarray) -> list[Line]:
    """The lines under a picture, as many for every sample of one spec."""
    if not spec.classes:
        values = np.ravel(y)
        texts = [f"{value:.4g}" for value in values]
    elif y.ndim == 0:
        return [(spec.classes[int(y)], WHITE)]
    else:
        texts = [name for name, has in zip(spec.classes, y, strict=True) if has] or ["(none)"]
    count = min(_LINES, int(np.prod(spec.shape)))
    if len(texts) > count:
        texts = [*texts[: count - 1], f"{texts[count - 1]} + {len(texts) - count}"]
    return [(text, WHITE) for text in texts + [""] * (count - len(texts))]


def _answer(spec: Spec, y: np.ndarray, prediction: np.ndarray) -> list[Line]:
    """The lines beside a picture: the likeliest first, right in green and wrong in red."""
    given = np.ravel(prediction)
    if not spec.classes:
        off = given - np.ravel(y)
        return [(f"{value:.4g}  ({by:+.2g})", WHITE) for value, by in zip(given, off, strict=True)]
    is_one = np.ndim(y) == 0
    order = np.argsort(-given, kind="stable").tolist()
    true = {int(y)} if is_one else set(np.flatnonzero(y).tolist())
    said = {order[0]} if is_one else set(np.flatnonzero(given >= _SURE).tolist())
    wrong = said - true if is_one else said ^ true
    return [
        (
            f"{spec.classes[at]} {100 * given[at]:.0f} %",
            RED if at in wrong else GREEN if at in said else GREY,
        )
        for at in order
    ]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    import matplotlib  # has a font of many scripts; OpenCV's and Pillow's know ASCII alone

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def _cut(text: str, width: int, size: int) -> str:
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
