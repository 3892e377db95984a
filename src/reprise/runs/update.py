"""Train the model of a run further on new data."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reprise.config.compose import Composed
from reprise.config.overrides import restate
from reprise.datasets.base import Dataset
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError
from reprise.runs.evaluate import load_best, prepare, score_splits
from reprise.runs.experiment import Data, compose_and_check, open_data
from reprise.runs.folder import Recorded, find
from reprise.runs.load import open_recorded
from reprise.runs.parent import Parent, adopt, score_parent, test_split
from reprise.runs.train import train


def update(run: str, runs: Path, changes: list[str], old: str = "0") -> None:
    """Train a child run that starts from the best model of run `run`.

    Args:
        run: Its id.
        runs: Folder of all runs.
        changes: Overrides of its configuration, which name other data.
        old: Fraction of its training data that is mixed in, 0 to 1.
    """
    recorded, fraction = find(run, runs), _fraction(old)
    composed = _changed(recorded, changes)
    data, parent_data = open_data(composed.values), open_recorded(recorded)
    if known := seen_before(data, parent_data):
        print(f"note: {known} sample(s) that are to judge the model are among those it has learned")
    learned = data.learn()
    adopt(data.dataset, parent_data.dataset)
    parent = start_from(recorded, parent_data, composed.values, data, learned, fraction)
    train(composed, with_old(data, parent_data, fraction), parent)


def start_from(
    recorded: Recorded,
    parent_data: Data,
    config: Mapping[str, Any],
    data: Data,
    learned: Mapping[str, Any],
    old: float,
) -> Parent:
    """Load a run's best model, and score it on the new test data and on its own.

    Args:
        recorded: The run.
        parent_data: Its data.
        config: The configuration of the run that starts from it.
        data: That one's data.
        learned: What was learned from it.
        old: Fraction of `parent_data` that is mixed in.
    """
    prepare(config)
    model = load_best(recorded.folder)
    now = score_splits(model, config, data, [test_split(data)])
    now |= score_parent(model, recorded, parent_data)
    before = {f"before_{name}": value for name, value in now.items()}
    return Parent(recorded, model, parent_data, learned, before, old)


def seen_before(new: Data, parent: Data) -> int:
    """How many of the new valid and test samples stand in the parent's train split.

    Told by name, and only where both read from the same files: elsewhere equal names mean nothing.
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


def _changed(recorded: Recorded, changes: list[str]) -> Composed:
    """The run's configuration with its changes, which must name other data."""
    if not any(change.lstrip("+").startswith("dataset") for change in changes):
        raise UserError(
            "an update needs new data",
            expected="at least one dataset.KEY=VALUE that leads to data the model has not seen",
            received=" ".join(changes) or "no change",
            remedy=f'make update run={recorded.folder.name} args="dataset.KEY=VALUE"',
        )
    named = f"tracking.experiment={recorded.folder.parent.name}"
    return compose_and_check(restate(recorded.config, recorded.choices, [named, *changes]))


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
