"""Image files with one target each: what datasets of folders and of tables have in common."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Len

from reprise.datasets.base import Sample, find_problems
from reprise.datasets.decodable import Decodable, Decoded
from reprise.datasets.images.files import read_header, read_image, require_dtype
from reprise.datasets.targets import Targets
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import Fit, draw_placement, pixels_needed, reduce_image

ImageSize = Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)]  # height and width, in pixels


class LabelledImages(Decodable):
    """Images of one size and depth, each with a class, labels or values.

    A child implements `name`, `splits` and `sources`, and has the other arguments.

    Args:
        paths: PNG, JPEG or TIFF files, 8 or 16 bits, all of the depth of the first.
        targets: Of these files.

    Raises:
        UserError: the first file cannot be read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        targets: Targets,
        image_size: ImageSize,
        channels: int,
        fit: Fit,
        augment: Augment | None,
    ) -> None:
        self._paths, self._targets, self._augment = paths, targets, augment
        self._size, self._fit = (image_size[0], image_size[1]), fit
        self._enough = pixels_needed(self._size, fit)
        dtype = read_header(paths[0], oriented=True).dtype
        self.input_spec = Spec((*self._size, channels), dtype)
        self.target_spec = targets.spec
        self.decoded = (Spec((None, None, channels), dtype),)
        self.recipe = repr(self._enough)

    def __len__(self) -> int:
        return len(self._paths)

    def decode(self, index: int) -> Decoded:
        """Read an image, reduced if its file has far more pixels than are needed."""
        return (reduce_image(self._read(index, self._enough), self._enough),)

    def finish(self, arrays: Decoded, index: int, rng: np.random.Generator | None) -> Sample:
        pixels = arrays[0]
        place = draw_placement(pixels.shape[:2], self._size, self._fit, self._augment, rng)
        return place.image(pixels), np.asarray(self._targets.values[index])

    def label(self, index: int) -> int | None:
        return self._targets.label(index)

    def facts(self, index: int) -> Mapping[str, float]:
        header = read_header(self._paths[index], oriented=True)
        return {"height": header.height, "width": header.width}

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        def look(at: int) -> None:
            index = int(indices[at])
            if thorough:
                self._read(index, math.inf)
            else:
                path = self._paths[index]
                require_dtype(path, read_header(path, oriented=True).dtype, self.input_spec.dtype)

        return find_problems(look, len(indices))

    def learn(self, train: np.ndarray) -> Mapping[str, Any]:
        self.target_spec, learned = self._targets.learned(train)
        return learned

    def _read(self, index: int, enough: float) -> np.ndarray:
        pixels, _ = read_image(self._paths[index], self.input_spec.shape[2], enough)
        require_dtype(self._paths[index], str(pixels.dtype), self.input_spec.dtype)
        return pixels


def file_keys(files: Sequence[str]) -> dict[str, int]:
    """Every name by which a split file may list one of `files`, with its index.

    These are its path; and its path without suffix, its name and its stem if no other file has it.
    """
    paths = [PurePath(file) for file in files]
    keys: dict[str, int] = {}
    for names in (
        [path.stem for path in paths],
        [path.name for path in paths],
        [str(path.with_suffix("")) for path in paths],
        files,
    ):
        counts = Counter(names)
        keys |= {name: at for at, name in enumerate(names) if counts[name] == 1}
    return keys
