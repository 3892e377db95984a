"""Score a run's best model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprise.errors import UserError
from reprise.runs.experiment import Data, compiled
from reprise.runs.folder import CHECKPOINTS, RESULT, find, keep_of
from reprise.runs.load import open_recorded
from reprise.training.quiet import native_notes_hidden

if TYPE_CHECKING:
    import keras


def evaluate(run: str, runs: Path, split: str) -> dict[str, float]:
    """Metrics of the best model of run `run` on one of its splits, `{'<split>/<metric>': value}`.

    Raises:
        UserError: there is no such run, or it has no such split.
    """
    recorded = find(run, runs)
    data = open_recorded(recorded)
    if split not in data.splits:
        raise UserError(
            f"the run has no split '{split}'",
            expected=f"one of {', '.join(data.splits)}",
            received=f"split={split}",
            remedy="choose one of these",
        )
    prepare(recorded.config)
    return score_splits(load_best(recorded.folder), recorded.config, data, [split])


def prepare(config: Mapping[str, Any]) -> None:
    """Set the device up as a configuration asks."""
    with native_notes_hidden():
        from reprise.training.device import set_up

    trainer = config["trainer"]
    device = trainer["precision"], trainer["deterministic"], trainer["jit_compile"]
    set_up(*device, seed=config["seed"])


def load_best(folder: Path) -> keras.Model:
    """The best model of the run in `folder`, not compiled."""
    import keras

    from reprise.training.checkpoint import BEST

    path = folder / CHECKPOINTS / BEST
    if not path.exists():
        kept_none = (folder / RESULT).exists() and keep_of(folder) == "none"
        raise UserError(
            f"{path.name} is missing",
            expected=f"the best checkpoint of run {folder.name} in {path.parent}",
            received="no such file: the run was trained with tracking.keep=none"
            if kept_none
            else "no such file: the run has not finished an epoch",
            remedy="train it again with tracking.keep=best"
            if kept_none
            else "choose a run that has; runs/ holds them all",
        )
    return keras.models.load_model(path, compile=False)


def score_splits(
    model: keras.Model, config: Mapping[str, Any], data: Data, splits: Sequence[str]
) -> dict[str, float]:
    """Compile `model` as the config says, and score it on these splits.

    Returns:
        `{'<split>/<metric>': value}`
    """
    from reprise.loading.feed import as_tf_dataset
    from reprise.training.fit import score

    model = compiled(config, data.dataset, model, total_steps=1)
    result: dict[str, float] = {}
    for split in splits:
        with data.loader(split) as loader:
            batches = as_tf_dataset(loader, stop=loader.steps_per_pass)
            result |= score(model, batches, split, data_error=partial(getattr, loader, "error"))
    return result
