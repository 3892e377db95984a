"""The folder of a run: its files, its lock, and the status they tell."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from reprise.errors import UserError
from reprise.files import is_locked, lock
from reprise.project import ROOT, relative, typed
from reprise.tracking.folders import LAST, MARKS, home
from reprise.training.state import read_facts

if TYPE_CHECKING:
    from reprise.config.compose import Composed

CONFIG, SPLITS, SPECS, IDENTITY = "config.yaml", "splits.json", "specs.json", "run.json"
PACKAGES = "packages.txt"  # Python and what was installed
SERVING = "serving"  # the model in MLflow's format, once it has been promoted
SNAPSHOT = "snapshot/code.bundle"  # the code, as a git bundle
DATA = "inputs/data"  # input files that came with an exported run
STATE = "state"  # folder of the training states
CHECKPOINTS = "checkpoints"  # folder of the best model
TRACEBACK = "traceback.txt"  # of the exception that ended the run
RESULT = "result.json"  # metrics of the best model; written last: the run is finished
LOCK = "lock"
JOB = "job.json"  # which job of a sweep the run is
PRUNED = "pruned.txt"  # where that job was pruned
# Raised while the record of a run is read that is incomplete, damaged, or being deleted.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError)


def place_of(composed: Composed) -> tuple[Path, str]:
    """The folder of all runs, and the name of the experiment, that a configuration's run is in."""
    tracking = composed.values["tracking"]
    return ROOT / tracking["runs"], tracking["experiment"] or composed.experiment


def new_folder(runs: Path, experiment: str, name: str | None = None) -> Path:
    """Make the folder of a new run, `runs/<experiment>/<id>`, and point `runs/last` to it.

    Args:
        runs: Folder of all runs.
        experiment: Name of the experiment.
        name: The run's id; None draws one.

    Raises:
        UserError: it cannot be made.
    """
    require_place(runs, experiment)
    try:
        if name is None:
            folder = unused_folder(runs / experiment)
        else:
            folder = runs / experiment / name
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_place(runs / experiment, str(error)) from None
    pointer = runs / f".{LAST}-{folder.name}"
    try:
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(folder.relative_to(runs))
        pointer.replace(runs / LAST)
    except OSError as error:  # a folder of that name, or a file system without links
        pointer.unlink(missing_ok=True)
        print(f"note: run={LAST} does not name this run: {error}", file=sys.stderr)
    return folder


def require_place(runs: Path, experiment: str) -> None:
    """Check that folders of runs can be made in `runs/<experiment>`; nothing is made.

    Raises:
        UserError: a file or a run is in the way, or the folder must not be written to.
    """
    home = runs / experiment
    above = [home, *home.parents[: len(home.relative_to(runs).parts)]]
    if in_run := next((one for one in above if any((one / mark).exists() for mark in MARKS)), None):
        raise _no_place(home, f"{relative(in_run)} is a run itself")
    nearest = next(one for one in (home, *home.parents) if os.path.lexists(one))
    if not nearest.is_dir():
        kind = "a link that leads nowhere" if nearest.is_symlink() else "no folder"
        raise _no_place(home, f"{relative(nearest)} is {kind}")
    if not os.access(nearest, os.W_OK | os.X_OK):
        who = f"it belongs to user {nearest.stat().st_uid}, and this is user {os.getuid()}"
        raise _no_place(home, f"{relative(nearest)} must not be written to; {who}")


def _no_place(home: Path, why: str) -> UserError:
    return UserError(
        f"no run can be made in {relative(home)}",
        expected="a folder for runs, which is made if it is missing",
        received=why,
        remedy="mend that, or choose other folders: tracking.runs=FOLDER, tracking.experiment=NAME",
    )


def unused_folder(parent: Path) -> Path:
    """Make a folder named by an id: the time to the second and four random hex digits."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        folder = parent / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def to_type(verb: str, what: str, runs: Path, *words: str, key: str = "runs") -> str:
    """What one types here for a verb on a run or a sweep, such as `make resume run=ID`.

    Args:
        verb: The verb.
        what: `run=ID` or `sweep=ID`.
        runs: The folder of all runs that it is in; named unless it is runs/.
        words: Further words.
        key: The verb's word for that folder.
    """
    further = [*words, *([] if runs == ROOT / "runs" else [f"{key}={relative(runs)}"])]
    name, _, value = what.partition("=")
    line, more = f"{typed(verb)} {name}={shlex.quote(value)}", " ".join(map(shlex.quote, further))
    if not more:
        return line
    return f'{line} args="{more}"' if line.startswith("make") else f"{line} {more}"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder, so that no other process trains the same run.

    The kernel releases the lock however the process ends.

    Raises:
        UserError: another process holds it.
    """
    path = folder / LOCK
    try:
        file = path.open("a+")
    except PermissionError as error:
        raise UserError(
            f"run {folder.name} cannot be gone on with",
            expected="a folder that may be written to",
            received=str(error),
            remedy="become its owner, or train a run of your own",
        ) from None
    with file:
        if not lock(file, wait=False):
            raise UserError(
                f"run {folder.name} is being trained right now",
                expected="a run that no process is at work on",
                received=f"process {path.read_text().strip() or 'unknown'} has it",
                remedy="wait for it, or end that process",
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_held(folder: Path) -> bool:
    """Whether a process trains the run right now."""
    return is_locked(folder / LOCK)


def require_ended(folder: Path) -> None:
    """Refuse a run that is being trained, to whose record a verb would add.

    Raises:
        UserError: it is.
    """
    if is_held(folder):
        raise UserError(
            f"run {folder.name} is being trained right now",
            "a run that has ended: this one's best model may be another one soon",
            f"a process that holds {relative(folder / LOCK)}",
            "wait for it, or stop it (make resume goes on); make predict answers already",
        )


def keep_of(folder: Path) -> str:
    """What the run keeps once it is finished: its setting `tracking.keep`."""
    return yaml.safe_load((folder / CONFIG).read_text())["tracking"].get("keep", "all")


def state_of(folder: Path) -> str:
    """`running`, `finished`, `failed`, `stopped`, or `pruned after epoch N`."""
    if is_held(folder):
        return "running"
    if (folder / RESULT).exists():
        return "finished"
    if (folder / PRUNED).exists():
        return (folder / PRUNED).read_text().strip()
    return "failed" if (folder / TRACEBACK).exists() else "stopped"


def epochs_done(folder: Path) -> int:
    """Number of epochs in the run's newest training state."""
    return (read_facts(folder / STATE) or {"epoch": 0})["epoch"]


def describe(folder: Path) -> str:
    """The status of a run in a few words, with its test metric or how to resume it."""
    try:
        return _describe(folder)
    except UNREADABLE as error:
        return f"cannot be read: {error!r}"


def _describe(folder: Path) -> str:
    trainer = yaml.safe_load((folder / CONFIG).read_text())["trainer"]
    state = state_of(folder)
    if state == "finished":
        result = json.loads((folder / RESULT).read_text())
        name = f"test/{trainer['monitor'].partition('/')[2]}"
        return "finished" + (f", {name} {result[name]:.4f}" if name in result else "")
    if state.startswith("pruned"):
        return state
    done = f"{state}, {epochs_done(folder)} of {trainer['epochs']} epochs done"
    how = to_type("resume", f"run={folder.name}", home(folder))
    return done if state == "running" else f"{done}; to go on: {how}"
