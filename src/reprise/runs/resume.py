"""Continue a run that was stopped or killed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprise.config.compose import Composed, flatten
from reprise.config.overrides import restate
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.experiment import Data, compose_and_check
from reprise.runs.folder import RESULT, STATE, Recorded, find, keep_of
from reprise.runs.load import open_recorded
from reprise.runs.parent import Parent
from reprise.runs.resumed import Resumed
from reprise.runs.train import Callbacks, train
from reprise.runs.update import start_from

if TYPE_CHECKING:
    from reprise.training.state import State

# What no batch and no weight depends on, and what lengthens a run: these need no force.
FREE = {
    "loader.workers", "loader.use_multiprocessing", "loader.max_queue_size", "loader.timeout_s",
    "trainer.epochs", "trainer.pictures_every", "trainer.num_pictures", "trainer.log_every_steps",
    "tracking.uri", "tracking.keep", "tracking.upload_checkpoints",
}  # fmt: skip


def resume(
    run: str,
    runs: Path,
    changes: list[str],
    *,
    force: bool = False,
    callbacks: Callbacks | None = None,
) -> None:
    """Train the rest of a run, from its training state, in the same folder and MLflow run.

    Args:
        run: Its id.
        runs: Folder of all runs.
        changes: Overrides of its configuration.
        force: Continue although the configuration or the data has changed.
        callbacks: As `train` takes them.
    """
    from reprise.training.state import read_state

    recorded = find(run, runs)
    named = f"tracking.experiment={recorded.folder.parent.name}"
    composed = compose_and_check(restate(recorded.config, recorded.choices, [named, *changes]))
    changed = differences(recorded, composed)
    refuse_changes(changed, force=force)
    data = open_recorded(recorded, composed.values)
    changed += _refuse_changed_data(recorded, data, force=force)
    state, passed = read_state(recorded.folder / STATE)
    for why in passed:
        print(f"note: {why}; the state before it is taken")
    _refuse_finished(recorded, composed, state)
    resumed = Resumed(recorded.folder, state, composed.values, changed)
    parent = _parent(recorded, composed.values, data)
    train(composed, data, parent, resumed, callbacks=callbacks)


def differences(recorded: Recorded, composed: Composed) -> tuple[str, ...]:
    """Every key whose value is not what it was: `key: before -> now`."""
    before, now = flatten(dict(recorded.config)), flatten(dict(composed.values))
    return tuple(
        f"{key}: {before.get(key)} -> {now.get(key)}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key) and key != "tracking.experiment"
    )


def refuse_changes(changes: tuple[str, ...], *, force: bool) -> None:
    """Refuse to go on with another configuration, unless that is asked for."""
    grave = [change for change in changes if change.partition(":")[0] not in FREE]
    if grave and not force:
        raise UserError(
            "the run would go on with another configuration",
            expected="what it began with, but for workers, epochs, pictures and tracking",
            received="\n".join(grave),
            remedy="drop the change, or accept and record it with force=true",
        )


def _refuse_changed_data(recorded: Recorded, data: Data, *, force: bool) -> tuple[str, ...]:
    """What has changed of the data's hash; refused unless that is asked for."""
    from reprise.tracking.provenance import data_version

    now = data_version(ROOT, data.dataset.sources, data.dataset.stamp).digest
    if recorded.data_digest in (None, now):
        return ()
    change = f"data.digest: {recorded.data_digest} -> {now}"
    if not force:
        raise UserError(
            "the data is not what the run was trained on",
            expected=f"data of the digest {recorded.data_digest}",
            received=now,
            remedy="bring the data back, or accept and record the change with force=true",
        )
    return (change,)


def _refuse_finished(recorded: Recorded, composed: Composed, state: State | None) -> None:
    """Refuse to resume a finished run, unless it is now to be longer and has kept its state."""
    if not (recorded.folder / RESULT).exists():
        return
    if state is None:
        keep = keep_of(recorded.folder)
        raise UserError(
            f"run {recorded.folder.name} is finished and has no training state to go on from",
            expected="a run that was trained with tracking.keep=all",
            received=f"tracking.keep={keep}" if keep != "all" else "no state that can be read",
            remedy="train a new one with more epochs",
        )
    epochs, is_over = composed.values["trainer"]["epochs"], state.facts["is_over"]
    if state.facts["epoch"] < epochs and not is_over:
        return
    longer = f'make resume run={recorded.folder.name} args="trainer.epochs={2 * epochs}"'
    raise UserError(
        f"run {recorded.folder.name} is finished",
        expected="a run that was stopped or killed, or more epochs for this one",
        received=f"it has done {state.facts['epoch']} epochs"
        + (" and found no better one in its patience" if is_over else ""),
        remedy="train a new one with a longer trainer.early_stopping_patience"
        if is_over
        else longer,
    )


def _parent(recorded: Recorded, config: Mapping[str, Any], data: Data) -> Parent | None:
    """The run that this one started from, if it did."""
    if recorded.parent is None:
        return None
    parent = find(recorded.parent, recorded.folder.parents[1])
    return start_from(parent, open_recorded(parent), config, data, {}, recorded.old)
