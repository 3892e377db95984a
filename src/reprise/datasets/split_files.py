"""Splits that text files list, one sample's name in a line."""

import difflib
from collections.abc import Mapping
from pathlib import Path, PurePath

import numpy as np

from reprise.errors import UserError


def split_by_files(keys: Mapping[str, int], files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Read the splits from text files with one sample's name in a line.

    Args:
        keys: Every name a sample goes by, with its index; a line may have a folder before it.
        files: The file of each split.

    Returns:
        Ascending indices of each split, int64.

    Raises:
        UserError: a file is missing, or a name is unknown or listed twice.
    """
    seen: dict[int, str] = {}
    indices: dict[str, list[int]] = {}
    for split, file in files.items():
        indices[split] = []
        for number, line in enumerate(_lines(split, file), start=1):
            if not line.strip():
                continue
            index = _find(keys, line.strip(), f"{file}, line {number}")
            if index in seen:
                raise UserError(
                    f"the sample '{line.strip()}' is listed twice in the splits",
                    "each sample in one split, once",
                    f"{seen[index]} and {file}, line {number}",
                    "take one of the two lines out",
                )
            seen[index] = f"{file}, line {number}"
            indices[split].append(index)
    return {split: np.array(sorted(own), np.int64) for split, own in indices.items()}


def _lines(split: str, file: Path) -> list[str]:
    try:
        return file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the split file {file} cannot be read",
            "a text file with one sample's name in a line",
            str(error),
            f"correct dataset.split.{split}",
        ) from error


def _find(keys: Mapping[str, int], name: str, where: str) -> int:
    base = PurePath(name).name
    for key in (name, base):
        if key in keys:
            return keys[key]
    near = difflib.get_close_matches(base, keys, n=1) or list(keys)[:1]
    raise UserError(
        f"{where}: there is no sample '{name}'",
        f"the name of a file of the dataset, for instance '{near[0]}'",
        f"'{name}'",
        "correct the line, or put the file in its folder",
    )
