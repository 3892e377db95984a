"""Train the model of a run further on new data."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reprise.config.compose import Composed
from reprise.config.overrides import quoted, restate
from reprise.datasets.base import Dataset
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError
from reprise.runs.experiment import Data, compose_and_check, open_data, set_up_device
from reprise.runs.load import SavedRun, find, load_best, match_specs, open_saved_data
from reprise.runs.score import score_splits
from reprise.runs.train import train
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras

_FAR = 5.0  # deviations of the old data that the mean of new data is seldom away


@dataclass(frozen=True)
class Parent:
    """A run whose best model is trained further.

    Args:
        saved: The run.
        model: Its best model.
        data: Its own data, split as it was.
        learned: What was learned from the new data's train split, for the record.
        before: Metrics of the model before it learns anything new: `before_test/…` on the new test
            data, `before_parent_test/…` on its own.
        old: Fraction of its own training and validation samples that is mixed with the new ones.
    """

    saved: SavedRun
    model: keras.Model
    data: Data
    learned: Mapping[str, Any]
    before: Mapping[str, float]
    old: float

    def score(self, model: keras.Model) -> dict[str, float]:
        """Metrics of a model on the parent's test data (valid, if none), `parent_<split>/…`."""
        result = score_splits(model, self.saved.config, self.data, [test_split(self.data)])
        return {f"parent_{name}": value for name, value in result.items()}


def test_split(data: Data) -> str:
    """The split that a model is judged by: `test`, or `valid` where there is none."""
    return "test" if "test" in data.splits else "valid"


def adopt(data: Data, parent: Data) -> dict[str, Any]:
    """Give new data the columns, and their offset and scale, that the parent's model was made with.

    Returns:
        What was learned from the new data's train split, for the record.

    Raises:
        UserError: its input or target does not have the names, shape, dtype or classes of the
            parent's.
    """
    specs = {"input": parent.dataset.input_spec, "target": parent.dataset.target_spec}
    match_specs(
        data.dataset,
        specs,
        "the new data does not fit the run's model",
        "have the settings say the same (dataset.columns=[…] and dataset.classes=[…] are names in "
        "order), or train a new model",
    )
    learned = data.learn()
    for part, old in specs.items():
        new: Spec = getattr(data.dataset, f"{part}_spec")
        for note in other_units(new, old):
            print(f"note: {note}", file=sys.stderr)
        adopted = replace(new, offset=old.offset, scale=old.scale)
        setattr(data.dataset, f"{part}_spec", adopted)
    return learned


def other_units(new: Spec, old: Spec) -> list[str]:
    """A line for each entry whose mean is as far from the old one as other units would bring it."""
    names = new.names or tuple(f"entry {at}" for at in range(len(new.offset)))
    moments = zip(names, new.offset, old.offset, old.scale, strict=False)
    return [
        f"the mean of {name} is {mean:.4g}, and was {before:.4g} with a deviation of {scale:.4g} "
        "where the model was trained: is it the same unit?"
        for name, mean, before, scale in moments
        if abs(mean - before) > _FAR * scale
    ]


def update(run: str, runs: Path, changes: list[str], old: str = "0") -> None:
    """Train a child run that starts from the best model of run `run`.

    Args:
        run: Its id.
        runs: Folder of all runs.
        changes: Overrides of its configuration, which name other data.
        old: Fraction of its training data that is mixed in, 0 to 1.
    """
    saved, fraction = find(run, runs), _fraction(old)
    composed = _changed(saved, changes)
    data, parent_data = open_data(composed.values), open_saved_data(saved)
    if known := seen_before(data, parent_data):
        print(f"note: {known} sample(s) that are to judge the model are among those it has learned")
    learned = adopt(data, parent_data)
    parent = load_parent(saved, parent_data, composed.values, data, learned, fraction)
    train(composed, with_old(data, parent_data, fraction), parent)


def load_parent(
    saved: SavedRun,
    parent_data: Data,
    config: Mapping[str, Any],
    data: Data,
    learned: Mapping[str, Any],
    old: float,
) -> Parent:
    """Load a run's best model, and score it on the new test data and on its own.

    Args:
        saved: The run.
        parent_data: Its data.
        config: The configuration of the run that starts from it.
        data: That one's data.
        learned: What was learned from it.
        old: Fraction of `parent_data` that is mixed in.
    """
    set_up_device(config, for_training=True)
    model = load_best(saved.folder)
    parent = Parent(saved, model, parent_data, learned, {}, old)
    now = score_splits(model, config, data, [test_split(data)]) | parent.score(model)
    return replace(parent, before={f"before_{name}": value for name, value in now.items()})


def seen_before(new: Data, parent: Data) -> int:
    """Number of new valid and test samples that are in the parent's train split.

    Compared by name, and only if both read the same files: else equal names mean nothing.
    """
    one, other = new.dataset, parent.dataset
    if not {path.resolve() for path in one.sources} & {path.resolve() for path in other.sources}:
        return 0
    learned = set(other.names(parent.splits["train"]))
    judges = [new.splits[split] for split in ("valid", "test") if split in new.splits]
    return sum(name in learned for split in judges for name in one.names(split))


def with_old(new: Data, parent: Data, fraction: float) -> Data:
    """The new data, with a fraction of the parent's mixed into its train and valid splits.

    Which of the old samples are taken follows from the seed. The test split stays the new one's.
    """
    if not fraction:
        return new
    if not (isinstance(new.dataset, Dataset) and isinstance(parent.dataset, Dataset)):
        raise UserError(
            "old samples cannot be mixed into a stream",
            expected="old=0, or data with random access on both sides",
            received=f"old={fraction:g}",
            remedy="set old=0, or dataset=csv_rows where the data is a table",
        )
    mixed = Mixed(new.dataset, parent.dataset)
    splits = dict(new.splits)
    for split in ("train", "valid"):
        rng = np.random.default_rng([new.seed, len(splits[split])])
        old = rng.permutation(parent.splits[split])[: round(fraction * len(parent.splits[split]))]
        splits[split] = np.concatenate([splits[split], len(new.dataset) + np.sort(old)])
    counts = [
        ours + round(fraction * theirs)
        for ours, theirs in zip(
            new.dataset.target_spec.counts, parent.dataset.target_spec.counts, strict=False
        )
    ]
    mixed.target_spec = replace(mixed.target_spec, counts=tuple(counts))
    return replace(new, dataset=mixed, splits=splits)


def _changed(saved: SavedRun, changes: list[str]) -> Composed:
    """The run's configuration with its changes, which must name other data."""
    if not any(change.lstrip("+").startswith("dataset") for change in changes):
        raise UserError(
            "an update needs new data",
            expected="at least one dataset.KEY=VALUE that leads to data the model has not seen",
            received=" ".join(changes) or "no change",
            remedy=f'make update run={saved.folder.name} args="dataset.KEY=VALUE"',
        )
    named = f"tracking.experiment={quoted(saved.experiment)}"
    return compose_and_check(restate(saved.config, saved.choices, [named, *changes]))


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UserError(
            "old is wrong",
            expected="a fraction of the parent's training data, 0 to 1",
            received=f"old={text}",
            remedy="choose one, for instance old=0.2",
        )
    return value
