"""How mask files store class ids: as binary values, as ids, or as colours."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from reprise.datasets.images.files import MaskPart, read_mask
from reprise.errors import UserError

MaskMode = Literal["binary", "ids", "colors", "alpha"]
IGNORED = 255  # in every target
_UNKNOWN = 254
_MAX_CLASSES = 254


class MaskCoding(ABC):
    """Reads the mask files of one dataset."""

    classes: tuple[str, ...]  # in the order of the class ids; one name means a binary target
    ignore: int | None = IGNORED  # target value that counts in no loss and no metric
    colors: tuple[tuple[int, ...], ...] | None = None  # red, green and blue of each, 0 to 255
    values: Sequence[int] | None = None  # that stand in a file for each class; None: the ids

    @abstractmethod
    def read(self, path: Path) -> np.ndarray:
        """Read class ids, shape (height, width), uint8; `ignore` where a pixel is ignored.

        Raises:
            UserError: the file cannot be read, or has a value that stands for no class.
        """


class BinaryMasks(MaskCoding):
    """Masks in which 0 is background; foreground is 255 in a file, or else 1.

    Args:
        classes: One name, of the foreground.
        part: What of a file is the mask.
    """

    ignore = None

    def __init__(self, classes: Sequence[str], part: MaskPart = "values") -> None:
        if len(classes) != 1:
            expected = "one name, or null, for mask_mode=binary and alpha"
            raise _wrong_setting("classes", expected, list(classes))
        self.classes, self._part = tuple(classes), part

    def read(self, path: Path) -> np.ndarray:
        values = read_mask(path, self._part)
        yes = values == (255 if values.max() > 1 else 1)
        if np.count_nonzero(yes) + np.count_nonzero(values == 0) < values.size:
            raise UserError(
                f"{path} is not a yes/no mask",
                "the values 0 and 1, or 0 and 255",
                f"the values {_some(np.unique(values))}",
                "set dataset.mask_mode=ids and dataset.classes, or correct the mask",
            )
        return yes.view(np.uint8)


class IdMasks(MaskCoding):
    """Masks of ids: `classes` are the names of 0, 1, 2, … without the ignored ids."""

    def __init__(self, classes: Sequence[str], ignored: Sequence[int]) -> None:
        self._ids = [value for value in range(256) if value not in ignored][: len(classes)]
        if not 2 <= len(set(classes)) == len(self._ids) <= _MAX_CLASSES:
            expected = f"2 to {_MAX_CLASSES} different names, in the order of the ids"
            raise _wrong_setting("classes", expected, list(classes))
        self.classes, self.values = tuple(classes), self._ids
        self._ignored = sorted(ignored)
        self._targets = np.full(256, _UNKNOWN, np.uint8)
        self._targets[self._ids] = np.arange(len(classes))
        self._targets[self._ignored] = IGNORED

    def read(self, path: Path) -> np.ndarray:
        values = read_mask(path, "values")
        target = cv2.LUT(values.astype(np.uint8, copy=False), self._targets)
        foreign = (target == _UNKNOWN) | (values > 255)
        if foreign.any():
            names = f"dataset.classes has {len(self.classes)} names, for the ids {_some(self._ids)}"
            raise UserError(
                f"{path} has class ids that are not in use",
                f"{names}; ignored: {_some(self._ignored) or 'none'}",
                f"the ids {_some(np.unique(values[foreign]))} too",
                "name them in dataset.classes, or list them in dataset.ignore",
            )
        return target


class ColorMasks(MaskCoding):
    """Masks of colours: classes are the names in `colors`, in their order, but the ignored ones."""

    def __init__(self, colors: Mapping[str, Sequence[int]], ignored: Sequence[int | str]) -> None:
        self.classes = tuple(name for name in colors if name not in ignored)
        self.colors = tuple(tuple(colors[name]) for name in self.classes)
        if set(ignored) - set(colors):
            raise _wrong_setting("ignore", f"names of colours: {', '.join(colors)}", list(ignored))
        values = [tuple(color) for color in colors.values()]
        fits = all(len(color) == 3 and 0 <= min(color) <= max(color) <= 255 for color in values)
        if not fits or len(set(values)) < len(values):
            expected = "three numbers from 0 to 255 each, no two names with the same"
            raise _wrong_setting("colors", expected, values)
        if not 2 <= len(self.classes) <= _MAX_CLASSES:
            expected = f"2 to {_MAX_CLASSES} that are not ignored"
            raise _wrong_setting("colors", expected, list(colors))
        targets = [self.classes.index(n) if n in self.classes else IGNORED for n in colors]
        packed = _pack(np.array([values], np.uint8))[0]
        self._targets = list(zip(packed, targets, strict=True))

    def read(self, path: Path) -> np.ndarray:
        pixels = read_mask(path, "colors")
        packed = _pack(pixels)
        ids = np.full(packed.shape, _UNKNOWN, np.uint8)
        for color, target in self._targets:  # a quarter of the time of a search by np.searchsorted
            np.copyto(ids, target, where=packed == color)
        foreign = ids == _UNKNOWN
        if foreign.any():
            found = np.unique(pixels[foreign], axis=0)
            raise UserError(
                f"{path} has colours that are not listed",
                f"the {len(self._targets)} colours in dataset.colors",
                f"[red, green, blue] {_some(found.tolist())} too, in {foreign.sum()} pixels",
                "add them to dataset.colors, and to dataset.ignore if they shall not count",
            )
        return ids


def make_coding(
    mode: MaskMode,
    classes: Sequence[str] | None,
    ignore: Sequence[int | str],
    colors: Mapping[str, Sequence[int]] | None,
) -> MaskCoding:
    """Make the coding that a config asks for, with the arguments of `ImageMask`.

    Raises:
        UserError: a setting is missing, or does not fit `mode`.
    """
    if (mode == "colors") != bool(colors) or (mode == "colors" and classes):
        expected = "colours by name, and classes=null, for mask_mode=colors; null for the others"
        received = f"mask_mode={mode} colors={colors} classes={classes}"
        raise _wrong_setting("colors", expected, received)
    if mode == "colors" and colors:
        return ColorMasks(colors, ignore)
    numbers = [number for number in ignore if isinstance(number, int) and 0 <= number <= 255]
    if len(numbers) < len(ignore) or (numbers and mode != "ids"):
        expected = "ids from 0 to 255 for mask_mode=ids, names of colours for colors, else []"
        raise _wrong_setting("ignore", expected, list(ignore))
    if mode == "ids":
        return IdMasks(classes or (), numbers)
    return BinaryMasks(classes or ("foreground",), "alpha" if mode == "alpha" else "values")


def _pack(pixels: np.ndarray) -> np.ndarray:
    """One number for each RGB colour: from (height, width, 3) uint8 to (height, width) uint32."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA).view(np.uint32)[..., 0]


def _some(values: Sequence[object] | np.ndarray) -> str:
    shown = ", ".join(str(value) for value in values[:8])
    return shown + (f", … {values[-1]}" if len(values) > 8 else "")


def _wrong_setting(key: str, expected: str, received: object) -> UserError:
    what = f"dataset.{key} does not go with the masks as dataset.mask_mode says they are"
    return UserError(what, expected, str(received), f"correct dataset.{key} or dataset.mask_mode")
