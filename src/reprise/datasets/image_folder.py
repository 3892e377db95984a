"""Image files in one folder per class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from reprise.datasets.images.files import Pages
from reprise.datasets.images.folders import list_classes
from reprise.datasets.images.labelled import LabelledImages, file_keys
from reprise.datasets.images.reader import Channels, ImageSize
from reprise.datasets.images.unlabelled import Pictures
from reprise.datasets.splits import SplitSettings, listed_files, make_splits, split_by_words
from reprise.datasets.targets import class_targets
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import Fit


class ImageFolder(LabelledImages):
    """Images in folders of classes, and perhaps in folders of splits above or below these.

    A sample is an image, shape (*image_size, channels), uint8 or uint16 as in the files, and the
    id of its class, int32. Folders in a class folder belong to the class.

    Args:
        folder: Contains a folder for each class; or folders train, valid (val, dev, Validation)
            and test (Testing, test_set) that do, of which valid and test may be missing; or a
            folder for each class that contains such folders.
        image_size: Height and width of a sample, in pixels.
        split: 'train', 'valid' and 'test', each a fraction of the samples, or a text file with one
            file in a line, as `cat/1.jpg`. Test is None if there is a folder test; all of it is
            None if there are folders train and valid.
        fit: 'resize' scales to `image_size` and may change the proportions. 'crop' cuts it out, at
            random in training and otherwise from the middle; a smaller image is padded.
        channels: 1 for grey, 3 for RGB: a picture is converted. Any other number: the bands of a
            file as they are stored, all of them: 4 for RGB and alpha or infrared.
        pages: What becomes of files with several pages: 'one' refuses them, 'first' reads the first
            page alone, 'channels' stacks the bands of all pages.
        classes: Names of the class folders in the order of their ids; None for all, sorted (whole
            numbers by size). A folder of such a name is a class and no split. If the folders are 0,
            1, 2, …, these may be other names for them.
        split_seed: Seed of splits by fraction, which do not depend on `seed`.
        augment: Random changes in training, or None.

    Raises:
        UserError: the folders or the settings are not as described.
    """

    def __init__(
        self,
        folder: Annotated[str, "folder"],
        image_size: ImageSize,
        split: SplitSettings | None,
        fit: Fit = "resize",
        channels: Channels = 3,
        pages: Pages = "one",
        classes: list[str] | None = None,
        split_seed: Annotated[int, Ge(0)] = 0,
        augment: Augment | None = None,
    ) -> None:
        self._folder = Path(folder)
        self._listing = list_classes(self._folder, classes)
        self._split, self._split_seed = split, split_seed
        targets = class_targets(self._listing.classes, classes, self.name)
        paths = [self._folder / file for file in self._listing.files]
        super().__init__(paths, targets, image_size, channels, fit, augment, pages)
        has_folders = "valid" in self._listing.splits
        if has_folders != (split is None):
            raise UserError(
                "dataset.split does not fit the folders",
                "null where there are folders train and valid; fractions or files where not",
                f"dataset.split={split or 'null'} and folders "
                f"{', '.join(sorted(set(self._listing.splits) - {''})) or 'of classes alone'}",
                "set dataset.split=null" if has_folders else "set dataset.split to fractions",
            )

    @classmethod
    def unlabelled(cls, given: Sequence[str], spec: Spec, **settings: Any) -> Pictures:
        return super().unlabelled(given, spec, **{**settings, "folder": None})

    def name(self, index: int) -> str:
        return self._listing.files[index]

    def splits(self) -> Mapping[str, np.ndarray]:
        if self._split is None:
            return split_by_words(self._listing.splits, self.name)
        num_test = self._listing.splits.count("test")
        keys, groups = file_keys(self._listing.files), range(len(self))
        return make_splits(keys, groups, self._split, self._split_seed, num_test)

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        strays = [
            f"{self._folder / stray}: expected an image in the folder of its class; received "
            "another file, or a place outside of the classes"
            for stray in self._listing.strays
        ]
        return strays + super().check(indices, thorough=thorough)

    @property
    def sources(self) -> Sequence[Path]:
        return (self._folder, *listed_files(self._split))
