"""Reads the image files of a dataset alike, and remembers what it does not read of them."""

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

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
