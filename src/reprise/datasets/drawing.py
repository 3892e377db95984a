"""Samples on matplotlib axes, and grids of them as PNG files.

matplotlib is imported when a picture is made: worker processes import datasets, and draw nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from reprise.files import replacing
from reprise.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_HEIGHT, _DPI = 2.0, 160  # of one sample in a grid: inches, and pixels in an inch
_LETTERS = 36  # of a line above a sample
_MOST_BARS = 12
_FAR = 3.0  # standard deviations that a full bar stands for
_CERTAIN = 0.5  # from this probability on, one of several labels counts as predicted


def draw_input(axes: "Axes", x: np.ndarray, spec: Spec) -> None:
    """Show a sample's input: an image, or else numbers (see `draw_values`).

    An image has the shape (height, width, channels); it is shown as `as_rgb` says, or, if it has
    neither 1 nor 3 channels and is no unsigned integer, by its first one in colours.
    """
    if x.ndim != 3:
        draw_values(axes, x, spec)
        return
    is_picture = x.shape[2] in (1, 3) or x.dtype.kind == "u"
    axes.imshow(as_rgb(x) if is_picture else x[..., 0])
    axes.set_axis_off()


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """Convert an image to 8-bit RGB.

    Args:
        pixels: Shape (height, width, channels): grey, RGB, grey and another one, or RGB and others;
            these others are not shown. Dtypes other than uint8 are stretched from the lowest to
            the highest value: cameras seldom use all of 16 bits.

    Returns:
        Shape (height, width, 3), uint8, 0 to 255.
    """
    pixels = pixels[..., : 1 if pixels.shape[2] < 3 else 3]
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = ((pixels - low) * (255.0 / (high - low or 1))).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def class_ids(prediction: np.ndarray) -> np.ndarray:
    """Most likely class of every pixel, shape (height, width, 1), of a model's probabilities.

    Args:
        prediction: Shape (height, width, classes); with one channel the probability of a yes.
    """
    if prediction.shape[-1] == 1:
        return (prediction > 0.5).astype(np.uint8)
    return prediction.argmax(-1, keepdims=True)


def draw_masks(
    axes: "Axes",
    image: np.ndarray,
    masks: Mapping[str, np.ndarray],
    spec: Spec,
    colors: Sequence[Sequence[int]] | None = None,
) -> None:
    """Show an image, and beside it the image under each mask; classes are named in the legend.

    Args:
        axes: matplotlib's.
        image: Shape (height, width, channels), see `as_rgb`.
        masks: Class ids, shape (height, width, 1), by title.
        spec: Of a mask; where it has one class, 0 is background and left clear.
        colors: Red, green and blue of each class, 0 to 255; None to choose them.
    """
    first = int(len(spec.classes) == 1)
    names = dict(enumerate(spec.classes, start=first))
    tints = class_tints(spec, colors)
    if spec.ignore is not None:
        names[spec.ignore] = "(ignored)"
    images = {"input": as_rgb(image)}
    for title, ids in masks.items():
        images[title] = tinted(images["input"], ids[..., 0].astype(np.uint8), tints)
    _draw_side_by_side(axes, images)
    for number, name in names.items():
        # matplotlib leaves out a label that begins with '_', as a class's name may
        axes.plot([], [], "s", color=tints[number, :3], label=f" {plain_text(name)}")


def class_tints(spec: Spec, colors: Sequence[Sequence[int]] | None) -> np.ndarray:
    """Red, green, blue and opacity of each class id, 0 to 1, shape (256, 4), float32.

    Args:
        spec: Of a mask; where it has one class, 0 is background and left clear.
        colors: Red, green and blue of each class, 0 to 255; None to choose them.
    """
    first, count = int(len(spec.classes) == 1), len(spec.classes)
    tints = np.zeros((256, 4), np.float32)
    own = slice(first, first + count)
    tints[own, :3] = np.array(colors) / 255 if colors else _distinct_colors(count)
    tints[own, 3] = 0.5
    if spec.ignore is not None:
        tints[spec.ignore] = 0, 0, 0, 0.8
    return tints


def tinted(image: np.ndarray, ids: np.ndarray, tints: np.ndarray) -> np.ndarray:
    """Lay the colours of classes over an image, opaque where two of them meet.

    Args:
        image: Shape (height, width, 3), uint8.
        ids: Shape (height, width), uint8.
        tints: From `class_tints`.

    Returns:
        Shape (height, width, 3), uint8.
    """
    color, opacity = np.split(tints[ids], [3], axis=-1)
    edges = cv2.morphologyEx(ids, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    opacity[edges & (opacity[..., 0] > 0)] = 1
    return (image * (1 - opacity) + color * opacity * 255).round().astype(np.uint8)


def draw_matrices(axes: "Axes", matrices: Mapping[str, np.ndarray]) -> None:
    """Show matrices, shape (rows, columns, values), by title, beside each other.

    Several values stand below one another. The second matrix, a sample's target, sets the scale of
    colours: values beyond it have its end's colour. If it is constant, the first sets it.
    """
    images = {}
    for title, matrix in matrices.items():
        spaced = np.pad(matrix.astype(float), ((0, 1), (0, 0), (0, 0)), constant_values=np.nan)
        images[title] = np.moveaxis(spaced, -1, 0).reshape(-1, matrix.shape[1])[:-1]
    source, target, *_ = matrices.values()
    scale = target if np.ptp(target) else source
    image = _draw_side_by_side(axes, images, vmin=scale.min(), vmax=scale.max())
    axes.figure.colorbar(image, ax=axes).ax.tick_params(labelsize=7)


def _distinct_colors(count: int) -> np.ndarray:
    """Red, green and blue of so many colours, 0 to 1, shape (count, 3)."""
    from matplotlib import colormaps

    if count <= 20:
        return colormaps["tab10" if count <= 10 else "tab20"](range(count))[:, :3]
    colors = colormaps["hsv"](np.arange(count) / count)[:, :3]
    colors[1::2] *= 0.6  # every other hue darker
    return colors


def _draw_side_by_side(
    axes: "Axes", images: Mapping[str, np.ndarray], **settings: Any
) -> "AxesImage":
    """Show images of one width beside each other, each under its title; the last one."""
    width = next(iter(images.values())).shape[1]
    gap, height = width / 24, max(len(image) for image in images.values())
    for at, (title, image) in enumerate(images.items()):
        left = at * (width + gap)
        shown = axes.imshow(image, extent=(left, left + width, len(image), 0), **settings)
        middle = left + width / 2, 0
        axes.annotate(title, middle, (0, 2), textcoords="offset points", ha="center", fontsize=9)
    axes.set(xlim=(0, left + width), ylim=(height, 0))
    axes.set_axis_off()
    return shown


def draw_values(axes: "Axes", x: np.ndarray, spec: Spec, names: Sequence[str] = ()) -> None:
    """Show numbers on the scale of the model's input: a bar for each of 12 names, or else a line.

    `x` has any shape, and (count,) with names; `spec` has its `offset` and `scale`.
    """
    largest = np.iinfo(spec.dtype).max if np.dtype(spec.dtype).kind == "u" else 1.0
    scaled = (np.asarray(x, np.float64) - (spec.offset or 0.0)) / (spec.scale or largest)
    if names:
        texts = [f"{name} {value:.4g}" for name, value in zip(names, x, strict=True)][:_MOST_BARS]
        axes.barh(range(len(texts)), scaled[: len(texts)])
        axes.set_yticks(range(len(texts)), list(map(plain_text, texts)))
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        if spec.scale:
            axes.set_xlim(-_FAR, _FAR)
        if len(names) > len(texts):
            axes.set_xlabel(f"and {len(names) - len(texts)} more", fontsize=7)
    else:
        axes.plot(scaled.ravel(), drawstyle="steps-mid")
    axes.tick_params(labelsize=7)


def write_target(
    axes: "Axes", spec: Spec, y: np.ndarray, prediction: np.ndarray | None = None
) -> None:
    """Write a sample's target above it, and the model's answer: green if right, red if wrong.

    Args:
        axes: Gets the title.
        spec: Of the target.
        y: One class id, shape (); 0 or 1 for each class; or values.
        prediction: A probability for each class, or values of the shape of `y`; or None.
    """
    color, answer = "black", ""
    if spec.classes and y.ndim == 0:
        if len(spec.classes) <= _MOST_BARS and spec.classes != tuple(
            map(str, range(len(spec.classes)))
        ):
            for number, name in enumerate(spec.classes):
                axes.plot([], [], " ", label=plain_text(f"{number} = {name}"))
        truth = plain_text(spec.classes[int(y)])
        if prediction is not None:
            given, best = np.ravel(prediction), int(np.argmax(prediction))
            truth, answer = (
                f"{plain_text(spec.classes[at], 20)} ({100 * given[at]:.0f} %)"
                for at in (int(y), best)
            )
            color = "green" if best == y else "red"
    elif spec.classes and y.shape == (len(spec.classes),):
        truth = _listed(spec, y != 0)
        if prediction is not None:
            said = prediction >= _CERTAIN
            answer = _listed(spec, said)
            color = "green" if np.array_equal(said, y != 0) else "red"
    else:
        truth = _numbers(y)
        answer = "" if prediction is None else _numbers(prediction)
    lines = [truth] if prediction is None else [f"truth: {truth}", f"answer: {answer}"]
    axes.set_title("\n".join(lines), color=color, fontsize=9)


def save_grid(
    path: Path,
    draw: Callable[..., None],
    x: np.ndarray | Sequence[np.ndarray],
    y: np.ndarray | Sequence[np.ndarray],
    predictions: np.ndarray | Sequence[np.ndarray] | None = None,
    *,
    names: Sequence[str] = (),
    dpi: int = _DPI,
) -> Path:
    """Draw samples in a grid of about 4:3, with one legend for all, and save it as PNG.

    Args:
        path: The file; its folder is made if it is missing.
        draw: `Dataset.draw`. What it draws with a `label` is named in the legend.
        x, y, predictions: Inputs, targets and outputs of the model or None, with a batch axis.
        names: Written below the samples.
        dpi: Pixels in an inch; a sample is about two inches high.
    """
    from matplotlib.figure import Figure

    batch = (x, y) if predictions is None else (x, y, predictions)
    samples = list(zip(*batch, strict=True))
    first = Figure().subplots()
    draw(first, *samples[0])
    ratio = 1.5  # width of a cell for its height
    if first.get_aspect() != "auto":
        (left, right), (bottom, top) = first.get_xlim(), first.get_ylim()
        ratio = abs((right - left) / (top - bottom))
    rows = -(-len(samples) // max(1, round((len(samples) / ratio * 4 / 3) ** 0.5)))
    columns = -(-len(samples) // rows)
    width = max(columns * _HEIGHT * ratio, 2 * _HEIGHT)  # room for a legend
    figure = Figure(figsize=(width, rows * (_HEIGHT + 0.4)), dpi=dpi, layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, sample in zip(cells, samples, strict=False):
        draw(axes, *sample)
    for axes, name in zip(cells, names, strict=False):
        below = 0, -3 if not axes.axison else -26 if axes.get_xlabel() else -14
        text = plain_text(name[-_LETTERS:])
        axes.annotate(
            text, (0.5, 0), below, "axes fraction", "offset points", ha="center", va="top", size=7
        )
    for axes in cells[len(samples) :]:
        axes.set_axis_off()
    handles, labels = cells[0].get_legend_handles_labels()
    if labels:
        columns = max(1, int(width / (0.5 + 0.075 * max(map(len, labels)))))  # both in inches
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        figure.savefig(partial)
    return path


def _listed(spec: Spec, flags: np.ndarray) -> str:
    names = [name for name, has in zip(spec.classes, flags, strict=True) if has]
    return plain_text(", ".join(names) or "(none)")


def _numbers(values: np.ndarray) -> str:
    return plain_text(", ".join(f"{value:.4g}" for value in np.ravel(values)[:8]))


def plain_text(text: str, letters: int = _LETTERS) -> str:
    """Cut a text to a number of letters and escape '$', which begins a formula in matplotlib."""
    text = text if len(text) <= letters else text[: letters - 1] + "…"
    return text.replace("$", r"\$")
