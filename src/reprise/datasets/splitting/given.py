"""Splits that come with the data: a word for every sample, or a test set of its own."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from reprise.datasets.splitting.splits import Split, make_splits
from reprise.datasets.targets.labels import Place
from reprise.errors import UserError

WORDS: Mapping[str, Split] = {
    "train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test",
}  # fmt: skip


def split_by_words(words: Sequence[str], place: Place) -> dict[str, np.ndarray]:
    """Split as each sample says: train, valid (or val, validation), test.

    Returns:
        Ascending indices of each split that occurs, int64.

    Raises:
        UserError: a word is none of these, or there is nothing to train on or to validate with.
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


def split_before_test(
    keys: Mapping[str, int],
    groups: Sequence[Hashable],
    split: Mapping[Split, float | str | None],
    seed: int,
    num_test: int,
) -> dict[str, np.ndarray]:
    """Split samples, the last of which come as a test set; see `make_splits`.

    Args:
        keys: Every name under which a file may list a sample, with the sample's index.
        groups: Group of each sample, those of the test set last.
        split: Of the samples before the test set; its 'test' is None where there is one.
        seed: Moves samples between splits by fraction.
        num_test: Size of the test set, 0 where there is none.

    Raises:
        UserError: as `make_splits`; or a test set comes with the data and is asked for as well.
    """
    if not num_test:
        return make_splits(keys, groups, split, seed)
    if split.get("test") is not None:
        raise UserError(
            "dataset.split.test is set, and the data come with a test set",
            "dataset.split.test=null",
            f"dataset.split.test={split['test']}",
            "set dataset.split.test=null, or leave the test set out of the dataset",
        )
    first = len(groups) - num_test
    known = {key: index for key, index in keys.items() if index < first}
    return make_splits(known, groups[:first], split, seed) | {"test": np.arange(first, len(groups))}
