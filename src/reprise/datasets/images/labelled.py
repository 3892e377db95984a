"""Image files as samples: what datasets of folders, of tables and of masks have in common."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Len

from reprise.datasets.base import Sample, find_problems
from reprise.datasets.decodable import Decodable, Decoded
from reprise.datasets.images.files import Pages, read_header
from reprise.datasets.images.reader import ImageReader
from reprise.datasets.targets import Targets
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import Fit, Placement, draw_placement, pixels_needed, reduce_image

if TYPE_CHECKING:
    from reprise.datasets.images.unlabelled import Pictures

Channels = Annotated[int, Ge(1)]
LOOKED_AT = 256  # files that a quick check decodes where their heads leave something open
ImageSize = Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)]  # height and width, in pixels


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


class LabelledImages(ImageFiles):
    """Images, each with a class, labels or values.

    A child implements `name`, `splits` and `sources`; other arguments are those of `ImageFiles`.

    Args:
        paths: The files.
        targets: Of these files.
    """

    def __init__(self, paths: Sequence[Path], targets: Targets, *settings: Any) -> None:
        super().__init__(paths, *settings)
        self._targets, self.target_spec = targets, targets.spec
        self.recipe = repr((self._enough, self._pages))

    @classmethod
    def unlabelled(
        cls, given: Sequence[str], spec: Spec, *, fit: Fit = "resize", **settings: Any
    ) -> "Pictures":
        from reprise.datasets.images.unlabelled import Pictures

        own = ("pages", "augment", "path", "folder")
        return Pictures(given, spec, fit, **{k: settings[k] for k in own if k in settings})

    def decode(self, index: int) -> Decoded:
        """Read an image, reduced if its file has far more pixels than are needed."""
        pixels, _ = self._reader.read(self._paths[index], self._enough)
        return (reduce_image(pixels, self._enough),)

    def finish(self, arrays: Decoded, index: int, rng: np.random.Generator | None) -> Sample:
        pixels = arrays[0]
        return self._place(pixels.shape, rng).image(pixels), np.asarray(self._targets.values[index])

    def label(self, index: int) -> int | None:
        return self._targets.label(index)

    def learn(self, train: np.ndarray) -> Mapping[str, Any]:
        self.target_spec, learned = self._targets.learned(train)
        return learned


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
