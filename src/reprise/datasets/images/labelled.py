"""Image files, each with a class, labels or values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.decodable import Decoded
from reprise.datasets.images.reader import ImageFiles
from reprise.datasets.targets import Targets
from reprise.spec import Spec
from reprise.transforms.place import Fit, reduce_image

if TYPE_CHECKING:
    from reprise.datasets.images.unlabelled import Pictures


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
