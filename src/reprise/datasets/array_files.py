"""Arrays in `.npy` and `.npz` files, and their rows by index; nothing is ever unpickled."""

import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from reprise.errors import UserError

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_LOADING = threading.Lock()  # so that the threads of a process load an array once
_CHUNK = 1 << 24  # bytes that `Rows.chunks` reads at a time


class ArrayFile(NamedTuple):
    """An array in a `.npz` or `.npy` file, of which the header has been read."""

    path: Path
    key: str  # name of the array in a .npz file; '' for a .npy file
    shape: tuple[int, ...]
    dtype: np.dtype  # as it is stored

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.key or self.path.name

    def load(self, *, memory_map: bool = False) -> np.ndarray:
        """Read the array, or map it into memory.

        Raises:
            UserError: the file is cut or damaged.
        """
        try:
            if not self.key:
                return np.load(self.path, "r" if memory_map else None, allow_pickle=False)
            with np.load(self.path, allow_pickle=False) as arrays:
                return arrays[self.key]
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise _unreadable(self.path, self.key, str(error)) from error


def find_array(file: str | None, name: str, key: str) -> ArrayFile:
    """Read the header of the array `name` in a `.npz` file; without one, `name` is a `.npy` file.

    Raises:
        UserError: there is no such file or array, it is damaged, or it holds Python objects.
    """
    path, inner = Path(file or name), name if file else ""
    try:
        if file is None:
            with path.open("rb") as stream:
                shape, dtype = _read_header(stream)
        else:
            with zipfile.ZipFile(path) as archive:
                names = [member.removesuffix(".npy") for member in archive.namelist()]
                if name not in names:
                    raise UserError(
                        f"{key}: {path} has no array '{name}'",
                        f"one of {', '.join(names)}",
                        f"'{name}'",
                        f"set {key} to one of these",
                    )
                with archive.open(f"{name}.npy") as stream:
                    shape, dtype = _read_header(stream)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(path, inner, str(error)) from error
    if not shape:
        raise _unreadable(path, inner, "a single value, not an array")
    if dtype.hasobject:
        raise UserError(
            f"{key}: '{name}' in {path} holds Python objects",
            "an array of numbers",
            "pickled objects, which are never opened: to unpickle a file can run any code in it",
            "save it again as numbers, for instance np.save(file, np.stack(list_of_arrays))",
        )
    return ArrayFile(path, inner, shape, dtype)


class Rows:
    """Rows of an array file, or of two as one, read on first use.

    A pickled copy contains no array and reads the files again.

    Args:
        files: One array, or two whose rows have one shape; rows of the second are numbered after
            those of the first.
        memory_map: Leave the arrays on disk, in `.npy` files.

    Attributes:
        channels_first: Whether a row's first axis is to be its last.

    Raises:
        UserError: the two have different shapes or dtypes.
    """

    channels_first = False

    def __init__(self, files: Sequence[ArrayFile], *, memory_map: bool = False) -> None:
        first, last = files[0], files[-1]
        if (first.shape[1:], first.dtype) != (last.shape[1:], last.dtype):
            kinds = [
                f"{one.dtype}, shape (samples, {', '.join(map(str, one.shape[1:]))})"
                for one in (first, last)
            ]
            raise UserError(
                f"{first.name} and {last.name} are of different kinds",
                f"{kinds[0]}, as {first.name} has",
                kinds[1],
                "make them alike",
            )
        self.files = tuple(files)
        self.memory_map = memory_map
        self._arrays: list[np.ndarray] | None = None
        self.dtype = first.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Axis lengths of a row."""
        stored = self.files[0].shape[1:]
        return (*stored[1:], stored[0]) if self.channels_first else stored

    def __len__(self) -> int:
        return sum(file.shape[0] for file in self.files)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Copy rows: shape (indices, *shape), in the order of `indices`."""
        first, *others = self._load()
        if not others:
            # `take` is a quarter faster than [indices], and reads a memory map's rows into memory
            rows = np.asarray(first.take(indices, axis=0))
        else:
            rows = np.empty((len(indices), *first.shape[1:]), self.dtype)
            in_first = indices < len(first)
            rows[in_first] = first[indices[in_first]]
            rows[~in_first] = others[0][indices[~in_first] - len(first)]
        return np.ascontiguousarray(np.moveaxis(rows, 1, -1)) if self.channels_first else rows

    def chunks(self, indices: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Read rows in chunks of some megabytes, each after its indices."""
        row = max(1, int(np.prod(self.shape)) * self.dtype.itemsize)
        step = max(1, _CHUNK // row)
        for start in range(0, len(indices), step):
            yield indices[start : start + step], self[indices[start : start + step]]

    def name(self, index: int) -> str:
        """What the user calls a row: `x_train[17]`."""
        for file in self.files:
            if index < file.shape[0]:
                break
            index -= file.shape[0]
        return f"{file.name}[{index}]"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None}

    def _load(self) -> list[np.ndarray]:
        with _LOADING:
            if self._arrays is None:
                self._arrays = [file.load(memory_map=self.memory_map) for file in self.files]
            return self._arrays


def open_rows(
    file: str | None, names: Mapping[str, str | None], *, memory_map: bool
) -> tuple[Rows, Rows]:
    """Find inputs and labels, each followed by those of a test set.

    Args:
        file: A `.npz` file with all arrays; None for a `.npy` file each.
        names: Of the arrays, or files, by config key: x, y, x_test, y_test; the last two or None.
        memory_map: Leave the inputs on disk.

    Raises:
        UserError: an array cannot be used, or inputs and labels have different lengths.
    """
    if memory_map and file:
        raise UserError(
            "dataset.memory_map does not go with a .npz file",
            "dataset.file=null, and .npy files in dataset.x and dataset.y",
            f"dataset.memory_map=true dataset.file={file}",
            "save the arrays with np.save, or set dataset.memory_map=false",
        )
    files = {k: find_array(file, name, f"dataset.{k}") for k, name in names.items() if name}
    _require_pair(files, "x", "y")
    if "x_test" in files or "y_test" in files:
        _require_pair(files, "x_test", "y_test")
    x, y = ([files[k] for k in (key, f"{key}_test") if k in files] for key in ("x", "y"))
    return Rows(x, memory_map=memory_map), Rows(y)


def _require_pair(files: Mapping[str, ArrayFile], x: str, y: str) -> None:
    """Refuse inputs without labels, labels without inputs, and different or no lengths."""
    pair = {key: files.get(key) for key in (x, y)}
    lengths = {file.shape[0] if file else 0 for file in pair.values()}
    if len(lengths) > 1 or 0 in lengths:
        received = [
            f"{file.name} of shape {file.shape}" if file else f"dataset.{key}=null"
            for key, file in pair.items()
        ]
        raise UserError(
            f"dataset.{x} and dataset.{y} do not belong together",
            "two arrays of one length, a label for each input",
            ", ".join(received),
            f"correct dataset.{x} or dataset.{y}",
        )


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(stream)
    if version not in _READERS:
        raise ValueError(f"version {version} of the format, made for names that are not Latin")
    shape, _, dtype = _READERS[version](stream)
    return shape, dtype


def _unreadable(path: Path, name: str, received: str) -> UserError:
    return UserError(
        f"{path} cannot be read" + (f" at '{name}'" if name else ""),
        "a .npz file that np.savez wrote, with dataset.x and dataset.y the names of arrays in it; "
        "or dataset.file=null and .npy files",
        received,
        "correct dataset.file, dataset.x and dataset.y, or copy the file again from its source",
    )
