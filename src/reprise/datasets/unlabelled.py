"""Inputs without targets, as predict reads them, and how a user names them."""

import glob
import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.base import Dataset, Sample, Wrapped
from reprise.datasets.tracked import require_pulled
from reprise.errors import UserError, in_one_line
from reprise.spec import Spec

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_NO_TARGET = np.zeros(0, np.uint8)


class Unlabelled(Dataset):
    """Inputs in the order in which they were named, each with an empty target.

    A child sets `input_spec` and implements `__len__`, `name` and `read_input`.

    Attributes:
        target_spec: Of no use: shape (0,).
        notes: What of the inputs is not answered, or not whole, a line each.
    """

    target_spec = Spec((0,), "uint8")
    notes: Sequence[str] = ()

    @abstractmethod
    def read_input(self, index: int) -> np.ndarray:
        """Read one input, as `input_spec` says.

        Raises:
            UserError: it cannot be read; the message names it.
        """

    def came_in(self) -> Mapping[str, Sequence[Any]]:
        """What the table of answers says of each input before the answer: columns by name."""
        return {"name": [self.name(index) for index in range(len(self))]}

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        return self.read_input(index), _NO_TARGET

    def splits(self) -> Mapping[str, np.ndarray]:
        return {"test": np.arange(len(self))}


class Tolerant(Wrapped):
    """The inputs of a dataset, each with the target 1, or 0 and zeros where it cannot be read.

    Args:
        dataset: The dataset, whose targets are not used.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self.target_spec = Spec((), "uint8")

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        try:
            return self.dataset.read(index, None)[0], np.array(1, np.uint8)
        except Exception:  # `problem` says which
            shape = [1 if side is None else side for side in self.input_spec.shape]
            return np.zeros(shape, self.input_spec.dtype), np.array(0, np.uint8)

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        if type(self.dataset).read_many is not Dataset.read_many:
            try:
                x, _ = self.dataset.read_many(indices, [None] * len(indices))
                return x, np.ones(len(indices), np.uint8)
            except Exception:
                if len(indices) > 1:  # halves, until those that cannot be read are alone
                    middle = len(indices) // 2
                    parts = [
                        self.read_many(half, rngs) for half in (indices[:middle], indices[middle:])
                    ]
                    xs, flags = zip(*parts, strict=True)
                    return np.concatenate(xs), np.concatenate(flags)
        if len(indices) == 1:  # without a copy: it may be a picture of a gigabyte
            x, flag = self.read(int(indices[0]), None)
            return x[None], flag[None]
        return super().read_many(indices, rngs)

    def problem(self, index: int) -> str:
        """Why an input cannot be read, in one line."""
        try:
            self.dataset.read(index, None)
        except Exception as error:
            place = "" if isinstance(error, UserError) else f"{self.name(index)}: "
            return place + in_one_line(error)
        return f"{self.name(index)}: could not be read when it was its turn"


def find_given(
    given: Sequence[str], endings: Collection[str]
) -> tuple[list[Path], list[str], list[str]]:
    """Find the files that a user has named.

    Args:
        given: Files, folders (all files below them with one of the endings), and patterns such as
            `photos/**/*.jpg`.
        endings: Of the files looked for, in lower case.

    Returns:
        The files, sorted within a folder or a pattern, none twice; and their names: their paths
        from the folder that they have in common; and a note of each folder's other files.

    Raises:
        UserError: something named is not there, or has no such file.
    """
    files: dict[Path, None] = {}
    tops: list[Path] = []
    notes = []
    for one in given:
        path = Path(one)
        if path.is_dir():
            every = sorted(
                Path(folder, name)
                for folder, _, names in os.walk(path)
                for name in names
                if not name.startswith(".")
                and not Path(folder, name).is_fifo()  # which would be waited for
            )
            found = [file for file in every if file.name.lower().endswith(tuple(endings))]
            others = Counter(file.suffix.lower() or "no ending" for file in every)
            others -= Counter(file.suffix.lower() for file in found)
            if others:
                said = ", ".join(f"{count} of {kind}" for kind, count in others.most_common())
                notes.append(f"not answered in {one}: {said}; endings: {' '.join(endings)}")
            tops.append(path)
        else:
            is_pattern = not path.exists() and glob.has_magic(one)
            found = sorted(map(Path, glob.glob(one, recursive=True))) if is_pattern else [path]  # noqa: PTH207
            found = [file for file in found if not is_pattern or file.is_file()]
            tops += [file.parent for file in found]
        if not found or not (path.is_dir() or found[0].exists()):
            require_pulled(path)
            raise UserError(
                f"input={one} names nothing that can be read",
                f"files, a folder of files ending in {', '.join(endings)}, or a pattern",
                "a folder without such a file" if path.is_dir() else "no such file",
                "correct input=…",
            )
        files |= dict.fromkeys(found)
    top = os.path.commonpath([one.absolute() for one in tops])
    return list(files), [os.path.relpath(file.absolute(), top) for file in files], notes
