"""Which sample is in which split: by fraction, by listed names, or as the data say.

Pure functions: the same names, groups and settings give the same splits on every machine.
"""

import difflib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval

from reprise.datasets.targets import Place
from reprise.errors import UserError

Split = Literal["train", "valid", "test"]
SplitSettings = dict[
    Split, Annotated[float, Interval(ge=0, le=1)] | Annotated[str, "file"] | None
]  # of a config: for each split a fraction of the samples, or a file that lists them
Keys = Mapping[str, int | Sequence[int]]

WORDS: Mapping[str, Split] = {
    "train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test",
}  # fmt: skip
# In this order, so that a smaller train split does not change the test split.
_ORDER: tuple[Split, ...] = ("test", "valid", "train")


def make_splits(
    keys: Keys,
    groups: Sequence[Hashable],
    split: Mapping[Split, float | str | Sequence[str] | None],
    seed: int,
    num_test: int = 0,
) -> dict[str, np.ndarray]:
    """Split samples as a config says: by fraction, or by files or lists of names.

    Args:
        keys: Every name by which samples may be listed, with its index or indices.
        groups: Group of each sample; fractions keep a group in one split.
        split: For each split a fraction, a file, a list of names, or (for test) None. Beside
            lists, fractions are of the samples that are not listed.
        seed: Changes which samples a fraction selects.
        num_test: Number of samples, the last ones, that the data give as a test set; `split`
            divides the others.

    Returns:
        Ascending indices of each split that is not None, int64, disjoint, none empty.

    Raises:
        UserError: a split is missing, mixed, out of range, empty, or names an unknown sample; or
            a test set is given and asked for.
    """
    if num_test:
        if split.get("test") is not None:
            raise UserError(
                "dataset.split.test is set, and the data come with a test set",
                "dataset.split.test=null",
                f"dataset.split.test={split['test']}",
                "set dataset.split.test=null, or leave the test set out of the dataset",
            )
        first = len(groups) - num_test
        known = {key: at for key, at in keys.items() if isinstance(at, int) and at < first}
        others = make_splits(known, groups[:first], split, seed)
        return others | {"test": np.arange(first, len(groups))}
    used = {str(name): value for name in _ORDER if (value := split.get(name)) is not None}
    fractions = {name: value for name, value in used.items() if isinstance(value, int | float)}
    files = {name: Path(value) for name, value in used.items() if isinstance(value, str)}
    lists = {name: value for name, value in used.items() if isinstance(value, list | tuple)}
    if not {"train", "valid"} <= used.keys() or (fractions and files):
        raise UserError(
            "dataset.split is incomplete, or mixes fractions and files",
            "a fraction for every split, or a file for every split; test alone may be null",
            str(dict(split)),
            "set dataset.split.train, .valid and .test alike",
        )
    indices = split_by_names(keys, {**files, **lists})
    if fractions:
        is_left = np.ones(len(groups), bool)
        for own in indices.values():
            is_left[own] = False
        left = np.flatnonzero(is_left)
        parts = split_by_fraction([groups[at] for at in left.tolist()], fractions, seed)
        indices |= {name: left[own] for name, own in parts.items()}
    for name, own in indices.items():
        if not len(own):
            raise UserError(
                f"the split '{name}' is empty",
                "at least one sample",
                f"none of {len(groups)} from dataset.split.{name}={used[name]}",
                f"give dataset.split.{name} more, or add data (test may be null)",
            )
    return {name: indices[name] for name in reversed(_ORDER) if name in indices}


def listed_files(split: Mapping[Any, Any] | str | None) -> list[Path]:
    """The files that a setting names; none for fractions, lists, or a column of a table."""
    values = split.values() if isinstance(split, Mapping) else ()
    return [Path(value) for value in values if isinstance(value, str)]


def split_by_fraction(
    groups: Sequence[Hashable], fractions: Mapping[str, float], seed: int
) -> dict[str, np.ndarray]:
    """Assign whole groups, in random order, to splits of about the given sizes.

    Args:
        groups: Group of each sample; samples of one group stay together.
        fractions: Fraction of all samples for each split, 0 to 1, at most 1 in sum; the rest is in
            no split.
        seed: Of the order of the groups.

    Returns:
        Ascending indices of each split, int64; rounded to whole samples.

    Raises:
        UserError: a fraction is negative, or their sum exceeds 1.
    """
    if min(fractions.values()) < 0 or sum(fractions.values()) > 1 + 1e-9:
        raise UserError(
            "the fractions in dataset.split do not divide the data",
            "numbers from 0 to 1, at most 1 together",
            ", ".join(f"{name}={value:g}" for name, value in fractions.items())
            + f" (together {sum(fractions.values()):g})",
            "for instance dataset.split.train=0.7 dataset.split.valid=0.15 dataset.split.test=0.15",
        )
    codes_by_group = {group: code for code, group in enumerate(dict.fromkeys(groups))}
    codes = np.array([codes_by_group[group] for group in groups], np.int64)
    sizes = np.bincount(codes)
    order = np.random.default_rng(seed).permutation(len(sizes))
    middles = np.empty(len(sizes))
    middles[order] = np.cumsum(sizes[order]) - sizes[order] / 2
    bounds = np.cumsum(list(fractions.values())) * len(groups)
    # A group belongs to the split its middle falls into; for single samples this is rounding.
    sides = np.searchsorted(bounds, middles, side="right")[codes]
    return {name: np.flatnonzero(sides == side) for side, name in enumerate(fractions)}


def split_by_names(keys: Keys, files: Mapping[str, Path | Sequence[str]]) -> dict[str, np.ndarray]:
    """Read splits from text files with one name in a line, `.npy` files of indices, or lists.

    Args:
        keys: Every name of a sample, with its index, and of a group, with its indices. In a file a
            folder may precede the name. An index in a `.npy` file stands for that number as a name.
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


def split_by_words(words: Sequence[str], place: Place) -> dict[str, np.ndarray]:
    """Split by a word for each sample: train, valid (or val, validation), test.

    Returns:
        Ascending indices of each split that occurs, int64.

    Raises:
        UserError: a word is none of these, or no sample is in train or in valid.
    """
    for at, word in enumerate(words):
        if word not in WORDS:
            received = f"'{word}'" if word else "an empty cell"
            raise UserError(
                f"{place(at)}: {received} is no split",
                "one of " + ", ".join(WORDS),
                received,
                "correct it, or set dataset.split to fractions",
            )
    named = np.array([WORDS[word] for word in words])
    found = {name: np.flatnonzero(named == name) for name in ("train", "valid", "test")}
    for name in ("train", "valid"):
        if not len(found[name]):
            raise UserError(
                f"the split '{name}' is empty",
                "at least one sample in train and in valid",
                f"none of {len(words)}",
                f"say '{name}' of some samples, or set dataset.split to fractions",
            )
    return {name: own for name, own in found.items() if len(own)}


def _names(split: str, file: Path | Sequence[str]) -> list[tuple[str, str]]:
    """The names listed for a split, each after its place."""
    if not isinstance(file, Path):
        return [(f"dataset.split.{split}", name.strip()) for name in file]
    try:
        if file.suffix.lower() == ".npy":
            lines = [str(index) for index in np.load(file, allow_pickle=False).tolist()]
        else:
            lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"the split file {file} cannot be read",
            "a text file with one sample's name in a line, or a .npy file with a row of indices",
            str(error),
            f"correct dataset.split.{split}",
        ) from error
    numbered = enumerate(lines, start=1)
    return [(f"{file}, line {number}", line.strip()) for number, line in numbered if line.strip()]


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
