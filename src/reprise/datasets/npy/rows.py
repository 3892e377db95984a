"""The rows of one array file, or of two as one, read when they are first asked for."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reprise.datasets.npy.files import ArrayFile, find_array
from reprise.errors import UserError

_LOADING = threading.Lock()  # the threads of a process load an array once
_CHUNK = 1 << 24  # bytes that a walk through all rows takes at a time


class Rows:
    """Rows by index. A copy through pickle reads the files again, and carries no array.

    Args:
        files: One array, or two of equal rows: those of the second are numbered after the first's.
        memory_map: Leave the arrays on disk; they are `.npy` files.

    Raises:
        UserError: the two have other shapes or dtypes.
    """

    def __init__(self, files: Sequence[ArrayFile], *, memory_map: bool = False) -> None:
        first, last = files[0], files[-1]
        if (first.shape[1:], first.dtype) != (last.shape[1:], last.dtype):
            raise UserError(
                f"{first.name} and {last.name} are of different kinds",
                f"{first.dtype}, shape (samples, {_listed(first)}), as {first.name} has",
                f"{last.dtype}, shape (samples, {_listed(last)})",
                "make them alike",
            )
        self.files = tuple(files)
        self.memory_map = memory_map
        self._arrays: list[np.ndarray] | None = None
        self.shape, self.dtype = first.shape[1:], first.dtype

    def __len__(self) -> int:
        return sum(file.shape[0] for file in self.files)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Copy rows: shape (indices, *shape), in the order of `indices`."""
        arrays = self._loaded()
        if len(arrays) == 1:
            # quicker than [indices] by a quarter; a memory map's rows are in memory
            return np.asarray(arrays[0].take(indices, axis=0))
        rows = np.empty((len(indices), *self.shape), self.dtype)
        in_first = indices < len(arrays[0])
        rows[in_first] = arrays[0][indices[in_first]]
        rows[~in_first] = arrays[1][indices[~in_first] - len(arrays[0])]
        return rows

    def chunks(self, indices: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Walk through rows, some at a time: their indices, and they."""
        row = max(1, int(np.prod(self.shape)) * self.dtype.itemsize)
        step = max(1, _CHUNK // row)
        for start in range(0, len(indices), step):
            yield indices[start : start + step], self[indices[start : start + step]]

    def name(self, index: int) -> str:
        """What the user calls a row: `x_train[17]`."""
        first = self.files[0]
        file, own = (first, index) if index < first.shape[0] else (
            self.files[1], index - first.shape[0],
        )  # fmt: skip
        return f"{file.name}[{own}]"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None}

    def _loaded(self) -> list[np.ndarray]:
        with _LOADING:
            if self._arrays is None:
                self._arrays = [file.load(memory_map=self.memory_map) for file in self.files]
            return self._arrays


def open_rows(
    file: str | None, names: Mapping[str, str | None], *, memory_map: bool
) -> tuple[Rows, Rows]:
    """Find inputs and labels, and a test set's after them.

    Args:
        file: A `.npz` file with all arrays, or None for a `.npy` file each.
        names: Of the arrays, or of their files, by config key: 'x' and 'y', and 'x_test' and
            'y_test' or None.
        memory_map: Leave the inputs on disk.

    Raises:
        UserError: an array cannot be used, or those that belong together do not fit.
    """
    if memory_map and file:
        raise UserError(
            "dataset.memory_map does not go with a .npz file",
            "dataset.file=null, and .npy files in dataset.x and dataset.y",
            f"dataset.memory_map=true dataset.file={file}",
            "save the arrays with np.save, or set dataset.memory_map=false",
        )
    files = {k: find_array(file, name, f"dataset.{k}") for k, name in names.items() if name}
    _require_pairs(files)
    x, y = ([files[k] for k in (key, f"{key}_test") if k in files] for key in ("x", "y"))
    return Rows(x, memory_map=memory_map), Rows(y)


def _require_pairs(files: Mapping[str, ArrayFile]) -> None:
    """Refuse inputs without labels, labels without inputs, and those of another length.

    Args:
        files: By config key: 'x' and 'y', and perhaps 'x_test' and 'y_test'.

    Raises:
        UserError: what belongs together does not fit.
    """
    for x, y in (("x", "y"), ("x_test", "y_test")):
        if x not in files and y not in files:
            continue
        lengths = [files[key].shape[0] if key in files else None for key in (x, y)]
        if lengths[0] != lengths[1] or not lengths[0]:
            raise UserError(
                f"dataset.{x} and dataset.{y} do not belong together",
                "two arrays of one length, a label for each input",
                ", ".join(
                    f"{files[key].name} of shape {files[key].shape}"
                    if key in files
                    else f"dataset.{key}=null"
                    for key in (x, y)
                ),
                f"correct dataset.{x} or dataset.{y}",
            )


def _listed(file: ArrayFile) -> str:
    return ", ".join(map(str, file.shape[1:]))
