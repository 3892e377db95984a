"""Arrays in `.npy` and `.npz` files: what they are, before they are read; never unpickled."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from reprise.errors import UserError

_READERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


@dataclass(frozen=True)
class ArrayFile:
    """An array in a file, its head read.

    Args:
        path: The `.npz` file, or the `.npy` file.
        key: Its name in a `.npz` file; '' in a `.npy` file.
        shape: Of the whole array.
        dtype: As it is stored.
    """

    path: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype

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
    """Read the head of an array.

    Args:
        file: A `.npz` file, in which `name` is the array's; None where `name` is a `.npy` file.
        name: See `file`.
        key: The config key that gave `name`, for errors.

    Raises:
        UserError: there is no such file or array, it is damaged, or it holds Python objects.
    """
    path = Path(file or name)
    try:
        if file is None:
            with path.open("rb") as stream:
                shape, dtype = _head(stream)
        else:
            with zipfile.ZipFile(path) as archive:
                members = [member.removesuffix(".npy") for member in archive.namelist()]
                if name not in members:
                    raise _no_such_array(path, name, members, key)
                with archive.open(f"{name}.npy") as stream:
                    shape, dtype = _head(stream)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(path, name if file else "", str(error)) from error
    if not shape:
        raise _unreadable(path, name if file else "", "a single value, not an array")
    if dtype.hasobject:
        raise UserError(
            f"{key}: '{name}' in {path} holds Python objects",
            "an array of numbers",
            "pickled objects, which are never opened: to unpickle a file can run any code in it",
            "save it again as numbers, for instance np.save(file, np.stack(list_of_arrays))",
        )
    return ArrayFile(path, name if file else "", shape, dtype)


def _head(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(stream)
    reader = _READERS.get(version)
    if reader is None:
        raise ValueError(f"version {version} of the format, made for names that are not Latin")
    shape, _, dtype = reader(stream)
    return shape, dtype


def _no_such_array(path: Path, name: str, members: list[str], key: str) -> UserError:
    return UserError(
        f"{key}: {path} has no array '{name}'",
        f"one of {', '.join(members)}",
        f"'{name}'",
        f"set {key} to one of these",
    )


def _unreadable(path: Path, name: str, received: str) -> UserError:
    return UserError(
        f"{path} cannot be read" + (f" at '{name}'" if name else ""),
        "a .npz file that np.savez wrote, with dataset.x and dataset.y the names of arrays in it; "
        "or dataset.file=null and .npy files",
        received,
        "correct dataset.file, dataset.x and dataset.y, or copy the file again from its source",
    )
