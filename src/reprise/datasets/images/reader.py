"""Image files as samples: read alike, with notes of what is not read, and brought to one size."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Len

from reprise.datasets.base import find_problems
from reprise.datasets.decodable import Decodable
from reprise.datasets.images.files import (
    ImageHeader,
    Pages,
    has_varying_alpha,
    read_header,
    read_image,
    require_dtype,
    require_readable,
)
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import Fit, Placement, draw_placement, pixels_needed

Channels = Annotated[int, Ge(1)]
LOOKED_AT = 256  # files that a quick check decodes where their heads leave something open
ImageSize = Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)]  # height and width, in pixels
_TWELVE_BITS = 4095
_TRIED = 100  # files, for one that can be read


class ImageReader:
    """Reads image files that all have one depth.

    Args:
        files: PNG, JPEG or TIFF files.
        channels, pages: As in `read_image`.
        dtype: That all must have; None for that of the first that can be read.

    Raises:
        UserError: none of the first hundred files can be read.
    """

    def __init__(
        self, files: Sequence[Path], channels: int, pages: Pages, dtype: str | None = None
    ) -> None:
        self.dtype = dtype or _first_header(files[:_TRIED]).dtype
        self._channels, self._pages = channels, pages
        self._unread: dict[str, set[Path]] = defaultdict(set)  # files by what is not read of them
        self._highest: dict[Path, int] = {}  # values of files of 16 bits

    def read(self, path: Path, enough: float = math.inf) -> tuple[np.ndarray, int]:
        """Read pixels, shape (height, width, channels); arguments and errors as `read_image`'s."""
        pixels, factor = read_image(path, self._channels, enough, self._pages)
        require_dtype(path, str(pixels.dtype), self.dtype)
        return pixels, factor

    def look(self, path: Path, *, decode: bool) -> ImageHeader:
        """Check a file by its head; `decode`: by its pixels, too, where the head leaves a doubt.

        Raises:
            UserError: the file cannot be read as the settings say.
        """
        header = read_header(path)
        require_dtype(path, header.dtype, self.dtype)
        require_readable(path, header, self._channels, self._pages)
        for note in header.notes:
            self.remember(note, path)
        if header.pages > 1 and self._pages == "first":
            self.remember("only the first page is read (dataset.pages=first)", path)
        is_dropped = self._channels in (1, 3) and header.is_picture
        reads = f"dataset.channels={header.bands} reads it"
        if is_dropped and header.has_alpha and decode and has_varying_alpha(path):
            self.remember(f"the alpha channel, which varies, is not read ({reads})", path)
        if is_dropped and header.bands == 4 and not header.has_alpha:
            self.remember(f"the fourth band is not read ({reads})", path)
        if header.dtype == "uint16" and decode:
            self._highest[path] = int(self.read(path)[0].max())
        return header

    def remember(self, what: str, path: Path) -> None:
        """Note of a file what is not read of it."""
        self._unread[what].add(path)

    def notes(self) -> Sequence[str]:
        """What is not read of the files that were looked at, a line each."""
        lines = [
            f"{min(files)}{f' and {len(files) - 1} more files' if len(files) > 1 else ''}: {what}"
            for what, files in sorted(self._unread.items())
        ]
        highest = max(self._highest.values(), default=0)
        if 0 < highest <= _TWELVE_BITS:
            lines.append(
                f"of {len(self._highest)} images of 16 bits none has a value above {highest}, and "
                "models take 65535 as white: to them the images are dark"
            )
        return lines


def _first_header(files: Sequence[Path]) -> ImageHeader:
    """The header of the first of these files that can be read; the others are found when read."""
    for file in files:
        with suppress(UserError):
            return read_header(file)
    return read_header(files[0])  # raises


class ImageFiles(Decodable):
    """Images of one depth, brought to one size.

    Args:
        paths: PNG, JPEG or TIFF files, 8 or 16 bits, all of the depth of the first.
        image_size, channels, fit, augment, pages: As in `ImageFolder`.

    Raises:
        UserError: the first file cannot be read.
    """

    request = "image"

    def __init__(
        self,
        paths: Sequence[Path],
        image_size: ImageSize,
        channels: int,
        fit: Fit,
        augment: Augment | None,
        pages: Pages,
    ) -> None:
        self._paths, self._augment, self._pages = paths, augment, pages
        self._size, self._fit = (image_size[0], image_size[1]), fit
        self._enough = pixels_needed(self._size, fit)
        self._reader = ImageReader(paths, channels, pages)
        self.input_spec = Spec((*self._size, channels), self._reader.dtype)
        self.decoded = (Spec((None, None, channels), self._reader.dtype),)

    def __len__(self) -> int:
        return len(self._paths)

    def facts(self, index: int) -> Mapping[str, float]:
        header = read_header(self._paths[index])
        return {"height": header.height, "width": header.width}

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        """Look at head and tail of every file and decode some of them, or decode all files."""
        step = 1 if thorough else max(1, len(indices) // LOOKED_AT)

        def look(at: int) -> None:
            index = int(indices[at])
            self._look(index, decode=at % step == 0)
            if thorough:
                self._reader.read(self._paths[index])

        return find_problems(look, len(indices))

    def _look(self, index: int, *, decode: bool) -> None:
        """Check the files of a sample; `decode`: by their pixels, too."""
        self._reader.look(self._paths[index], decode=decode)

    def _place(self, size: tuple[int, ...], rng: np.random.Generator | None) -> Placement:
        """Draw the placement of an image of this height and width."""
        return draw_placement((size[0], size[1]), self._size, self._fit, self._augment, rng)

    @property
    def notes(self) -> Sequence[str]:
        return self._reader.notes()
