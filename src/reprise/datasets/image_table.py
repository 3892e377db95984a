"""Image files that a table lists, each with a class, labels or values."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Len

from reprise.datasets.images.files import Pages
from reprise.datasets.images.folders import find_files
from reprise.datasets.images.labelled import LabelledImages, file_keys
from reprise.datasets.images.reader import Channels, ImageSize
from reprise.datasets.splits import Place, SplitSettings, listed_files, make_splits, split_by_words
from reprise.datasets.tables import read_table, table_targets
from reprise.datasets.targets import Target
from reprise.errors import UserError
from reprise.transforms.augment import Augment
from reprise.transforms.place import Fit


class ImageTable(LabelledImages):
    """Images and labels from the rows of a table.

    A sample is an image, shape (*image_size, channels), uint8 or uint16 as in the files, and its
    target: a class id, int32; 0 or 1 for each of several classes, uint8; or values in the table's
    own unit, float32.

    Args:
        table: CSV with commas and a header, or Parquet.
        image_size: Height and width of a sample, in pixels.
        split: 'train', 'valid' and 'test', each a fraction of the samples, or a text file with one
            path in a line, or for test None; or the name of a column of these words.
        folder: Folder that paths are relative to; None for the table's own.
        path: Column of PNG, JPEG or TIFF files, 8 or 16 bits, all of one depth, none twice; see
            `find_files`.
        target, label, separator, classes, group, split_seed: As in `CsvRows`.
        fit, channels, pages, augment: As in `ImageFolder`.

    Raises:
        UserError: the table, a row of it, or a setting is not as described.
    """

    def __init__(
        self,
        table: Annotated[str, "file"],
        image_size: ImageSize,
        split: SplitSettings | str,
        folder: Annotated[str, "folder"] | None = None,
        path: str = "path",
        target: Target = "class",
        label: str | list[str] = "label",
        separator: Annotated[str, Len(1)] = "|",
        classes: list[str] | None = None,
        fit: Fit = "resize",
        channels: Channels = 3,
        pages: Pages = "one",
        group: str | None = None,
        split_seed: Annotated[int, Ge(0)] = 0,
        augment: Augment | None = None,
    ) -> None:
        read = read_table(table, "dataset.table")
        self._table, self._folder = Path(table), Path(folder or Path(table).parent)
        self._files = read.distinct(path, "dataset.path")
        targets = table_targets(read, target, label, separator, classes)
        self._table_notes = tuple(read.notes)
        self._groups = read.groups(group, "dataset.group") if group else None
        self._split, self._split_seed = split, split_seed
        paths = find_files(self._folder, self._files)
        _require_distinct(paths, read.place)
        super().__init__(paths, targets, image_size, channels, fit, augment, pages)
        if isinstance(split, str):
            self._given = split_by_words(read.present(split, "dataset.split"), read.place)

    def name(self, index: int) -> str:
        return self._files[index]

    def group(self, index: int) -> str:
        return self._groups[index] if self._groups else self.name(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        if isinstance(self._split, str):
            return self._given
        groups = self._groups or self._files
        return make_splits(file_keys(self._files), groups, self._split, self._split_seed)

    def arrange(self, part: Literal["input", "target"], names: Sequence[str]) -> None:
        self._targets = self._targets.arranged(names)
        self.target_spec = self._targets.spec

    @property
    def notes(self) -> Sequence[str]:
        return (*super().notes, *self._table_notes)

    @property
    def sources(self) -> Sequence[Path]:
        return (self._table, self._folder, *listed_files(self._split))


def _require_distinct(paths: Sequence[Path], place: Place) -> None:
    """Refuse a file that two rows name, however they write it: it might stand in two splits."""
    first: dict[str, int] = {}
    for at, path in enumerate(map(os.path.normpath, paths)):
        if first.setdefault(path, at) != at:
            raise UserError(
                f"{place(at)}: {path} stands in the table for a second time",
                "each file once",
                f"the same in {place(first[path])}, perhaps in another spelling",
                "take one of the two rows out",
            )
