"""Continue a run that was stopped or killed."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import yaml

from reprise.config.compose import Composed, differences, flatten
from reprise.config.overrides import quoted, restate
from reprise.errors import UserError
from reprise.files import link_or_copy
from reprise.runs.difference import changed_since
from reprise.runs.experiment import Data, compose_and_check
from reprise.runs.folder import (
    CONFIG,
    PRUNED,
    RESULT,
    SNAPSHOT,
    STATE,
    TRACEBACK,
    held,
    keep_of,
    to_type,
)
from reprise.runs.inputs import changed_inputs
from reprise.runs.load import SavedRun, changed_digest, find, open_saved_data
from reprise.runs.train import train
from reprise.runs.update import Parent, load_parent

if TYPE_CHECKING:
    from reprise.runs.train import Callbacks
    from reprise.tracking.run import Run
    from reprise.training.state import State

# Keys that change neither batches nor weights, or only lengthen a run: these need no force.
FREE = {
    "loader.workers", "loader.use_multiprocessing", "loader.max_queue_size", "loader.timeout_s",
    "trainer.epochs", "trainer.pictures_every", "trainer.num_pictures", "trainer.log_every_steps",
    "tracking.uri", "tracking.keep", "tracking.upload_checkpoints",
}  # fmt: skip


@dataclass(frozen=True)
class Resumed:
    """A run to continue, and the training state it continues from.

    Args:
        folder: Its folder.
        state: None where the run ended before step 0.
        config: Its configuration from now on.
        changes: What differs from before, as lines for people; empty where nothing does.
    """

    folder: Path
    state: State | None
    config: Mapping[str, Any]
    changes: list[str]

    @property
    def learning_rate(self) -> float | None:
        """The new constant learning rate, where it was changed."""
        is_changed = any(change.startswith("optimizer.learning_rate:") for change in self.changes)
        optimizer = self.config["optimizer"]
        is_constant = optimizer.get("schedule") == "constant"
        return optimizer["learning_rate"] if is_changed and is_constant else None

    def record(self, run: Run, data: Data, runs: Path) -> None:
        """Record what has changed, and remove the marks of how the run ended before.

        The parameters in MLflow stay those that the run began with.

        Args:
            run: The run.
            data: Its data.
            runs: Folder of all runs.
        """
        assert self.state
        for ended in (RESULT, TRACEBACK, PRUNED):
            (self.folder / ended).unlink(missing_ok=True)
        step = self.state.step
        run.tags({"reprise.resumed_at_step": step})
        if self.changes:
            run.text(f"changes_at_step_{step}.txt", "\n".join(self.changes) + "\n")
            run.text(CONFIG, yaml.safe_dump(dict(self.config), sort_keys=False))
        record_changes(run, data, runs, step)


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
    saved = find(run, runs)
    saved.use_backend(exactly=True)
    with held(saved.folder):  # from here on, so that the state that is read stays the newest
        _resume(saved, changes, force, callbacks)


def _resume(saved: SavedRun, changes: list[str], force: bool, callbacks: Callbacks | None) -> None:
    from reprise.training.state import read_state

    named = f"tracking.experiment={quoted(saved.experiment)}"
    composed = compose_and_check(restate(saved.config, saved.choices, [named, *changes]))
    before, now = flatten(dict(saved.config)), flatten(dict(composed.values))
    before["tracking.experiment"] = now["tracking.experiment"]
    changed = differences(before, now)
    refuse_changes(changed, force=force)
    data = open_saved_data(saved, composed.values)
    changed += _refuse_changed_data(saved, data, force=force)
    state, passed = read_state(saved.folder / STATE)
    for why in passed:
        print(f"note: {why}; the state before it is taken")
    _note_stretched(changed, composed.values["optimizer"])
    _refuse_finished(saved, composed, state)
    resumed = Resumed(saved.folder, state, composed.values, changed)
    parent = _parent(saved, composed.values, data)
    train(composed, data, parent, resumed, callbacks=callbacks)


def refuse_changes(changes: list[str], *, force: bool) -> None:
    """Refuse to go on with another configuration, unless that is asked for."""
    grave = [change for change in changes if change.partition(":")[0] not in FREE]
    if grave and not force:
        raise UserError(
            "the run would go on with another configuration",
            expected="what it began with, but for workers, epochs, pictures and tracking",
            received="\n".join(grave),
            remedy="drop the change, or accept and record it with force=true",
        )


def _note_stretched(changed: list[str], optimizer: Mapping[str, Any]) -> None:
    """Say that a schedule over the run's whole length becomes another one with its length."""
    longer = [one for one in changed if re.match(r"trainer\.(epochs|steps_per_epoch):", one)]
    schedule = optimizer.get("schedule", "constant")
    if longer and schedule != "constant" and optimizer.get("decay_steps") is None:
        what = f"the {schedule} learning rate is stretched over the new length"
        print(f"note: {longer[0]}: {what}, and goes on from another value", file=sys.stderr)


def _refuse_changed_data(saved: SavedRun, data: Data, *, force: bool) -> list[str]:
    """What has changed of the data; refused unless that is asked for."""
    now = changed_digest(saved, data)
    found = [f"data.digest: {saved.data_digest} -> {now}"] if now else []
    found += [f"data.files: {line}" for line in changed_inputs(saved)]
    if found and not force:
        raise UserError(
            "the data is not what the run was trained on",
            expected=f"data of the digest {saved.data_digest}",
            received="\n".join(found),
            remedy="bring the data back, or accept and record the change with force=true",
        )
    return found


def _refuse_finished(saved: SavedRun, composed: Composed, state: State | None) -> None:
    """Refuse to resume a finished run, unless it is now to be longer and has kept its state."""
    if not (saved.folder / RESULT).exists():
        return
    if state is None:
        keep = keep_of(saved.folder)
        raise UserError(
            f"run {saved.folder.name} is finished and has no training state to go on from",
            expected="a run that was trained with tracking.keep=all",
            received=f"tracking.keep={keep}" if keep != "all" else "no state that can be read",
            remedy="train a new one with more epochs",
        )
    epochs, is_over = composed.values["trainer"]["epochs"], state.facts["is_over"]
    if state.facts["epoch"] < epochs and not is_over:
        return
    words = f"run={saved.folder.name}", saved.runs, f"trainer.epochs={2 * epochs}"
    longer = to_type("resume", *words)
    raise UserError(
        f"run {saved.folder.name} is finished",
        expected="a run that was stopped or killed, or more epochs for this one",
        received=f"it has done {state.facts['epoch']} epochs"
        + (" and found no better one in its patience" if is_over else ""),
        remedy="train a new one with a longer trainer.early_stopping_patience"
        if is_over
        else longer,
    )


def _parent(saved: SavedRun, config: Mapping[str, Any], data: Data) -> Parent | None:
    """The run that this one started from, if it did."""
    if saved.parent is None:
        return None
    parent = find(saved.parent, saved.runs)
    return load_parent(parent, open_saved_data(parent), config, data, {}, saved.old)


def record_changes(run: Run, data: Data, runs: Path, step: int) -> None:
    """Say and record what has changed of code and packages since a run began that goes on.

    Args:
        run: The run.
        data: Its data.
        runs: Folder of all runs.
        step: Where it goes on.
    """
    shared = runs / ".code"
    now, code, packages = changed_since(run.folder, shared, [*data.sources, runs])
    if not code and not packages:
        return
    if code:
        recorded = run.folder / SNAPSHOT
        recorded = recorded.with_name(f"code_at_step_{step}.bundle")
        link_or_copy(shared / f"{now.tree}.bundle", recorded)
        run.artifact(recorded.parent)
        run.tags({"code.resumed_tree": now.tree})
    text = "\n".join([*code, *packages])
    run.tags({"code.resumed": f"at step {step}:\n{text}"})
    print(f"note: since the run began this has changed:\n{indent(text, '  ')}", file=sys.stderr)
