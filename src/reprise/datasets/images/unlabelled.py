"""Image files without targets."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.images.files import Pages, read_header, read_other, require_dtype
from reprise.datasets.images.folders import SUFFIXES, find_files
from reprise.datasets.images.masks import MaskCoding
from reprise.datasets.images.reader import ImageReader
from reprise.datasets.tables import read_table
from reprise.datasets.unlabelled import TABLES, Unlabelled, find_given
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import Fit, draw_placement, pixels_needed, reduce_image

_OTHERS = (".webp", ".bmp", ".gif")  # of which nothing is trained


class Pictures(Unlabelled):
    """Image files, brought to the model's size as in training, or as they are.

    An input is an image, shape (height, width, channels), uint8 or uint16.

    Args:
        given: Files, folders, patterns; or a table of paths.
        spec: Of the run's input. All files must have its dtype.
        fit: As in `ImageFolder`; None reads images in their own size.
        pages, augment: As in `ImageFolder`; of `augment` only `cval` counts.
        path: A table's column of paths.
        folder: Folder that a table's paths are relative to; None, or where the first is not there,
            for the table's own.

    Attributes:
        paths: The files.
        coding: How mask files of the run store class ids, or None.
    """

    coding: MaskCoding | None = None

    def __init__(
        self,
        given: Sequence[str],
        spec: Spec,
        fit: Fit | None,
        pages: Pages = "one",
        augment: Augment | None = None,
        path: str = "path",
        folder: str | None = None,
    ) -> None:
        height, width, channels = spec.shape
        self._came_in: Mapping[str, Sequence[Any]] = {}
        if len(given) == 1 and given[0].lower().endswith(TABLES) and Path(given[0]).is_file():
            table = read_table(given[0], "input")
            column = next(iter(table.frame)) if table.frame.shape[1] == 1 else path
            self._names = table.present(column, "dataset.path")
            places = [*([Path(folder)] if folder else []), Path(given[0]).parent]
            first = (find_files(place, self._names[:1])[0].exists() for place in places)
            place = next(
                (place for place, is_there in zip(places, first, strict=True) if is_there),
                places[0],
            )
            self.paths = find_files(place, self._names)
            self._came_in = {name: table.texts(name, "input") for name in table.frame}
        else:
            self.paths, self._names, self.notes = find_given(given, (*SUFFIXES, *_OTHERS))
        self._size, self._fit, self._augment = (height, width), fit, augment
        self._enough = pixels_needed(self._size, fit or "crop")
        self._channels = channels
        self._reader = ImageReader(self.paths, channels, pages, spec.dtype)
        self.input_spec = spec if fit else Spec((None, None, channels), spec.dtype)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return self._names[index]

    def leave_out(self, folders: Sequence[Path]) -> None:
        """Leave out files of a folder that was named which are answers, of another time."""
        places = [folder.absolute() for folder in folders]
        own = [
            not any(path.absolute().is_relative_to(one) for one in places) for path in self.paths
        ]
        if not self._came_in:
            self.paths = [path for path, is_own in zip(self.paths, own, strict=True) if is_own]
            self._names = [name for name, is_own in zip(self._names, own, strict=True) if is_own]

    def came_in(self) -> Mapping[str, Sequence[Any]]:
        return self._came_in or {"path": self._names}

    def read_input(self, index: int) -> np.ndarray:
        if self._fit is None:
            return self.whole(index)
        pixels = self._pixels(index, self._enough)
        pixels = reduce_image(pixels, self._enough)
        place = draw_placement(pixels.shape[:2], self._size, self._fit, self._augment, None)
        return place.image(pixels)

    def whole(self, index: int) -> np.ndarray:
        """An image in its own size, shape (height, width, channels)."""
        return self._pixels(index)

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of an image, from its head where that says it."""
        path = self.paths[index]
        if path.suffix.lower() in _OTHERS:
            height, width, _ = self._pixels(index).shape
            return height, width
        header = read_header(path)
        return header.height, header.width

    def _pixels(self, index: int, enough: float = math.inf) -> np.ndarray:
        path = self.paths[index]
        if path.suffix.lower() not in _OTHERS:
            return self._reader.read(path, enough)[0]
        pixels = read_other(path, self._channels)
        require_dtype(path, str(pixels.dtype), self._reader.dtype)
        return pixels
