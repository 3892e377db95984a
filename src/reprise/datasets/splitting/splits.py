"""Which sample stands in which split: by fraction or as listed, and never in two.

Pure functions: the same names, groups and settings give the same split on every machine.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from reprise.datasets.splitting.files import Keys, split_by_files
from reprise.errors import UserError

Split = Literal["train", "valid", "test"]
# Dealt in this order, so that train may shrink without moving the test set.
_DEALT: tuple[Split, ...] = ("test", "valid", "train")


def make_splits(
    keys: Keys,
    groups: Sequence[Hashable],
    split: Mapping[Split, float | str | Sequence[str] | None],
    seed: int,
) -> dict[str, np.ndarray]:
    """Split samples as a config asks: fractions of them, or files or lists that name them.

    Args:
        keys: Every name by which samples may be listed, with the index, or indices, it stands for.
        groups: Group of each sample, in the order of the indices; kept on one side by fractions.
        split: For each a fraction, a file, a list of names, or (test alone) None. Beside lists,
            fractions are of what is not listed.
        seed: Moves samples between splits by fraction; files leave it unused.

    Returns:
        Ascending indices of each split that is not None, int64, disjoint, none empty.

    Raises:
        UserError: a split is missing, mixed, out of range, empty, or names an unknown sample.
    """
    used = {str(name): value for name in _DEALT if (value := split.get(name)) is not None}
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
    indices = split_by_files(keys, {**files, **lists})
    if fractions:
        indices |= _deal_the_rest(groups, indices, fractions, seed)
    for name, own in indices.items():
        if not len(own):
            raise _empty(name, f"none of {len(groups)} from dataset.split.{name}={used[name]}")
    return {name: indices[name] for name in reversed(_DEALT) if name in indices}


def _deal_the_rest(
    groups: Sequence[Hashable],
    taken: Mapping[str, np.ndarray],
    fractions: Mapping[str, float],
    seed: int,
) -> dict[str, np.ndarray]:
    """Split by fraction what is in no split yet."""
    is_left = np.ones(len(groups), bool)
    for own in taken.values():
        is_left[own] = False
    left = np.flatnonzero(is_left)
    dealt = split_by_fraction([groups[at] for at in left.tolist()], fractions, seed)
    return {name: left[own] for name, own in dealt.items()}


def split_by_fraction(
    groups: Sequence[Hashable], fractions: Mapping[str, float], seed: int
) -> dict[str, np.ndarray]:
    """Deal whole groups, in a seeded order, to splits of about the asked sizes.

    Args:
        groups: Group of each sample; samples of equal group stay together.
        fractions: Share of all samples for each split, 0 to 1, at most 1 in sum; what is left
            over is in no split.
        seed: Seed of the order in which groups are dealt.

    Returns:
        Ascending indices of each split, int64; rounded to whole samples.

    Raises:
        UserError: a fraction is negative, or they exceed 1 together.
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
    # A group belongs where its middle falls: for single samples, this is rounding.
    sides = np.searchsorted(bounds, middles, side="right")[codes]
    return {name: np.flatnonzero(sides == side) for side, name in enumerate(fractions)}


def _empty(split: str, received: str) -> UserError:
    remedy = f"give dataset.split.{split} more, or add data (test may be null)"
    return UserError(f"the split '{split}' is empty", "at least one sample", received, remedy)
