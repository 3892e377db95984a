"""The folder of a run: its files, its lock, and the status they tell."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from reprise.errors import UserError
from reprise.files import is_locked, lock
from reprise.project import typed
from reprise.runs.job import PRUNED
from reprise.training.state import read_facts

CONFIG, SPLITS, SPECS, IDENTITY = "config.yaml", "splits.json", "specs.json", "run.json"
STATE = "state"  # folder of the training states
CHECKPOINTS = "checkpoints"  # folder of the best model
TRACEBACK = "traceback.txt"  # of the exception that ended the run
RESULT = "result.json"  # metrics of the best model; written last: the run is finished
LOCK = "lock"


def new_folder(runs: Path, experiment: str, name: str | None = None) -> Path:
    """Make the folder of a new run, `runs/<experiment>/<id>`, and point `runs/last` to it.

    Args:
        runs: Folder of all runs.
        experiment: Name of the experiment.
        name: The run's id; None draws one.
    """
    if name is None:
        folder = unused_folder(runs / experiment)
    else:
        folder = runs / experiment / name
        folder.mkdir(parents=True, exist_ok=True)
    pointer = runs / f".last-{folder.name}"
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(folder.relative_to(runs))
    pointer.replace(runs / "last")
    return folder


def unused_folder(parent: Path) -> Path:
    """Make a folder named by an id: the time to the second and four random hex digits."""
    while True:
        folder = parent / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder


def run_folders(runs: Path) -> list[Path]:
    """Folders of all runs under `runs`, the oldest first; debug runs come last."""
    folders = [
        sorted((path.parent for path in runs.glob(f"{pattern}/{IDENTITY}")), key=lambda f: f.name)
        for pattern in ("*/*", "debug/*/*")
    ]
    return [folder for group in folders for folder in group]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder, so that no other process trains the same run.

    The kernel releases the lock however the process ends.

    Raises:
        UserError: another process holds it.
    """
    path = folder / LOCK
    with path.open("a+") as file:
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
    trainer = yaml.safe_load((folder / CONFIG).read_text())["trainer"]
    state = state_of(folder)
    if state == "finished":
        result = json.loads((folder / RESULT).read_text())
        name = f"test/{trainer['monitor'].partition('/')[2]}"
        return "finished" + (f", {name} {result[name]:.4f}" if name in result else "")
    if state.startswith("pruned"):
        return state
    done = f"{state}, {epochs_done(folder)} of {trainer['epochs']} epochs done"
    return done if state == "running" else f"{done}; to go on: {typed('resume')} run={folder.name}"
