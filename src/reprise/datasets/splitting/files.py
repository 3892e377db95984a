"""Splits that name their samples: in a text file, an array of indices, or the config itself."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from reprise.errors import UserError

Keys = Mapping[str, int | Sequence[int]]


def split_by_files(keys: Keys, files: Mapping[str, Path | Sequence[str]]) -> dict[str, np.ndarray]:
    """Read the splits from text files with one name in a line, from `.npy` files, or from lists.

    Args:
        keys: Every name a sample goes by, with its index, and every name of a group of samples,
            with their indices; a line may have a folder before it. An entry of an array stands for
            the line that has its number.
        files: The file of each split, or the names themselves.

    Returns:
        Ascending indices of each split, int64.

    Raises:
        UserError: a file is missing, or a name is unknown or listed twice.
    """
    seen: dict[int, str] = {}
    indices: dict[str, list[int]] = {}
    for split, file in files.items():
        indices[split] = []
        for place, name in _names(split, file):
            for index in _find(keys, name, place):
                if index in seen:
                    raise UserError(
                        f"the sample '{name}' is listed twice in the splits",
                        "each sample in one split, once",
                        f"{seen[index]} and {place}",
                        "take one of the two out",
                    )
                seen[index] = place
                indices[split].append(index)
    return {split: np.array(sorted(own), np.int64) for split, own in indices.items()}


def _names(split: str, file: Path | Sequence[str]) -> list[tuple[str, str]]:
    """What is listed for a split, and where each stands."""
    if not isinstance(file, Path):
        return [(f"dataset.split.{split}", name.strip()) for name in file]
    lines = enumerate(_lines(split, file), start=1)
    return [(f"{file}, line {number}", line.strip()) for number, line in lines if line.strip()]


def _lines(split: str, file: Path) -> list[str]:
    try:
        if file.suffix.lower() == ".npy":
            return [str(index) for index in np.load(file, allow_pickle=False).tolist()]
        return file.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"the split file {file} cannot be read",
            "a text file with one sample's name in a line, or a .npy file with a row of indices",
            str(error),
            f"correct dataset.split.{split}",
        ) from error


def _find(keys: Keys, name: str, where: str) -> Sequence[int]:
    base = PurePath(name).name
    for key in (name, base):
        if key in keys:
            found = keys[key]
            return [found] if isinstance(found, int) else found
    near = difflib.get_close_matches(base, keys, n=1) or list(keys)[:1]
    raise UserError(
        f"{where}: there is no sample '{name}'",
        f"the name of a file of the dataset, for instance '{near[0]}'",
        f"'{name}'",
        "correct the line, or put the file in its folder",
    )
