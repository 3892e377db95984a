"""Which sample is in which split: by fraction, by listed names, or as the data say.

Pure functions: the same names, groups and settings give the same splits on every machine.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval

from reprise.errors import UserError

Split = Literal["train", "valid", "test"]
SplitSettings = dict[
    Split, Annotated[float, Interval(ge=0, le=1)] | Annotated[str, "file"] | None
]  # of a config: for each split a fraction of the samples, or a file that lists them
Keys = Mapping[str, int | Sequence[int]]
Place = Callable[[int], str]  # what the user calls a sample, for errors: "table.csv, line 7"

WORDS: Mapping[str, Split] = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid",
    "dev": "valid", "development": "valid", "test": "test", "testing": "test",
}  # fmt: skip
_FILLERS = re.compile("(data|images?|imgs?|files|folder|split|data ?set|set)?")
# In this order, so that a smaller train split does not change the test split.
_ORDER: tuple[Split, ...] = ("test", "valid", "train")


def seen(name: str) -> str:
    """A name as the eye sees it: in one Unicode form, without letters that do not show."""
    text = "".join(one for one in name if unicodedata.category(one) != "Cf")
    return " ".join(unicodedata.normalize("NFC", text).split())


def folded(path: str) -> str:
    """A path by which others, in another case or Unicode form or with `\\`, are found again."""
    return seen(path.replace("\\", "/")).casefold()


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
                "set dataset.split.test=null, with train and valid that make 1 together (0.85 and "
                "0.15), or leave the test set out of the dataset",
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


def split_of(name: str) -> Split | None:
    """The split that the name of a folder, or a word, means: 'Training', 'test_set', 'val2017'.

    Returns:
        None for names that mean another thing, or may mean it.
    """
    found = [split for split, others in _meanings(name) if not others]
    return found[0] if found else None


def splits_in(name: str) -> set[Split]:
    """The splits that the words of a name mean, whatever else the name says: 'seg_train'."""
    return {split for split, _ in _meanings(name)}


def _meanings(name: str) -> list[tuple[Split, list[str]]]:
    """The splits that words of a name mean, each with the words that mean another thing."""
    text = seen(name).casefold()
    words = re.findall(r"[^\W\d_]+", text)
    found = [
        (at, split)
        for at, word in enumerate(words)
        for known, split in WORDS.items()
        if word.startswith(known) and _FILLERS.fullmatch(word.removeprefix(known))
    ]
    return [
        (split, [w for at, w in enumerate(words) if at != own and not _FILLERS.fullmatch(w)])
        for own, split in found
    ]


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
        keys: Every name of a sample, with its index, and of a group, with its indices. In a file
            folders may precede the name, and case, Unicode form and separators may differ. An index
            in a `.npy` file stands for that number as a name.
        files: The file of each split, or the names themselves.

    Returns:
        Ascending indices of each split, int64.

    Raises:
        UserError: a file is missing, or a name is unknown or listed twice.
    """
    places: dict[int, str] = {}
    known = _Known(keys)
    indices: dict[str, list[int]] = {}
    for split, file in files.items():
        indices[split] = []
        for place, name in _names(split, file):
            for index in known.find(name, place):
                if index in places:
                    raise UserError(
                        f"the sample '{name}' is listed twice in the splits",
                        "each sample in one split, once",
                        f"{places[index]} and {place}",
                        "take one of the two out",
                    )
                places[index] = place
                indices[split].append(index)
    return {split: np.array(sorted(own), np.int64) for split, own in indices.items()}


def split_by_words(words: Sequence[str], place: Place) -> dict[str, np.ndarray]:
    """Split by a word for each sample, such as train, valid, val, test or Testing.

    Returns:
        Ascending indices of each split that occurs, int64.

    Raises:
        UserError: a word is none of these, or no sample is in train or in valid.
    """
    unknown = {word for word in set(words) if not split_of(word)}
    for at, word in enumerate(words):
        if word in unknown:
            received = f"'{word}'" if word else "an empty cell"
            raise UserError(
                f"{place(at)}: {received} is no split",
                "one of " + ", ".join(WORDS),
                received,
                "correct it, or set dataset.split to fractions",
            )
    meant = {word: str(split_of(word)) for word in set(words)}
    named = np.array([meant[word] for word in words])
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
            data = file.read_bytes()  # Windows's own editor and shell write UTF-16, with a mark
            is_wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
            lines = data.decode("utf-16" if is_wide else "utf-8-sig").splitlines()
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"the split file {file} cannot be read",
            "a text file in UTF-8 with one sample's name in a line, or a .npy file with a row of "
            "indices",
            str(error),
            f"correct dataset.split.{split}",
        ) from error
    numbered = enumerate(lines, start=1)
    return [(f"{file}, line {number}", line.strip()) for number, line in numbered if line.strip()]


class _Known:
    """The names by which samples may be listed."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._has_folders = any("/" in key for key in keys)
        self._folded: dict[str, list[str]] = {}  # filled when a name is not found as it is

    def find(self, name: str, where: str) -> Sequence[int]:
        """Indices of what is listed as `name` at the place `where`.

        Raises:
            UserError: there is no such sample, or there are several.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts
        tails = ["/".join(parts[at:]) for at in range(len(parts))]
        if self._has_folders:  # dog/1.jpg is not cat/1.jpg, even if that is the only 1.jpg
            tails = tails[:1] + [tail for tail in tails[1:] if "/" in tail]
        for key in (name, *tails):
            if key in self._keys:
                return self._at(key)
        if not self._folded:
            for key in self._keys:
                self._folded.setdefault(folded(key), []).append(key)
        for tail in tails:
            found = self._folded.get(folded(tail), [])
            indices = {index for key in found for index in self._at(key)}
            if len(indices) > 1 and len(found) > 1:
                raise UserError(
                    f"{where}: '{name}' may be several samples",
                    "the name of one, letter by letter",
                    f"{name!a}, for {' and '.join(map(ascii, sorted(found)))}",
                    "write the name as that of the file",
                )
            if found:
                return self._at(found[0])
        near = difflib.get_close_matches(tails[-1], self._keys, n=1) or list(self._keys)[:1]
        raise UserError(
            f"{where}: there is no sample '{name}'",
            f"the name of a file of the dataset, for instance '{near[0]}'",
            f"'{name}'" if name.isascii() else f"'{name}', which is {name!a}",
            "correct the line, or put the file in its folder",
        )

    def _at(self, key: str) -> Sequence[int]:
        found = self._keys[key]
        return [found] if isinstance(found, int) else found
