"""A list of image files as model inputs: read, brought to one size, changed at random."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Len

from reprise.datasets.images.checks import find_problems, require_dtype
from reprise.datasets.images.files import read_reduced
from reprise.datasets.images.headers import read_header
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import Fit, draw_placement, pixels_needed, reduce_image

Size = Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)]  # height and width, in pixels
Channels = Literal[1, 3]


@dataclass(frozen=True)
class Pictures:
    """Image files, all of one depth, and how they become inputs.

    Args:
        paths: PNG, JPEG or TIFF files, 8 or 16 bits.
        spec: Shape (height, width, channels) and dtype, 'uint8' or 'uint16', of an input.
        fit: 'resize' scales to the size, whatever the proportions. 'crop' cuts it out, at random
            in training and else from the middle; a smaller picture is padded.
        augment: Random changes in training, or None.
    """

    paths: Sequence[Path]
    spec: Spec
    fit: Fit
    augment: Augment | None

    @property
    def decoded(self) -> Spec:
        """What `decode` gives."""
        return Spec((None, None, self.spec.shape[2]), self.spec.dtype)

    @property
    def recipe(self) -> str:
        """What `decode` depends on beside the files."""
        return repr(self._enough)

    def decode(self, index: int) -> np.ndarray:
        """Read one picture, reduced where its file has far more pixels than are needed.

        Raises:
            UserError: the file cannot be read, or has another depth; it is named.
        """
        return reduce_image(self._pixels(self.paths[index], self._enough), self._enough)

    def finish(self, pixels: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """Bring a decoded picture to shape and dtype of `spec`, changed at random."""
        size = (self.spec.shape[0], self.spec.shape[1])
        return draw_placement(pixels.shape[:2], size, self.fit, self.augment, rng).image(pixels)

    def check(self, indices: np.ndarray, *, thorough: bool) -> list[str]:
        """One line for each file that cannot be used; looks at heads and tails, or at all of it."""

        def look(at: int) -> None:
            path = self.paths[int(indices[at])]
            if thorough:
                self._pixels(path, math.inf)
            else:
                require_dtype(path, read_header(path, oriented=True).dtype, self.spec.dtype)

        return find_problems(look, len(indices))

    @property
    def _enough(self) -> float:
        return pixels_needed((self.spec.shape[0], self.spec.shape[1]), self.fit)

    def _pixels(self, path: Path, enough: float) -> np.ndarray:
        pixels, _ = read_reduced(path, self.spec.shape[2], enough)
        require_dtype(path, str(pixels.dtype), self.spec.dtype)
        return pixels


def open_pictures(
    paths: Sequence[Path], size: Size, channels: Channels, fit: Fit, augment: Augment | None
) -> Pictures:
    """Make `Pictures` of the depth that the first file has.

    Raises:
        UserError: the first file cannot be read.
    """
    dtype = read_header(paths[0], oriented=True).dtype
    return Pictures(paths, Spec((size[0], size[1], channels), dtype), fit, augment)


def file_keys(files: Sequence[str]) -> dict[str, int]:
    """Every name under which a file may list one of `files`, with its index.

    Its path; and its path without suffix, its bare name and its stem, where no other file has it.
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
