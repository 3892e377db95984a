"""A run's folder: made, filled with what must be known of the run, and found again."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reprise.errors import UserError
from reprise.spec import Spec
from reprise.tracking.journal import delivered

CONFIG, SPLITS, SPECS, IDENTITY = "config.yaml", "splits.json", "specs.json", "run.json"
STATE = "state"  # folder of the training states
CHECKPOINTS = "checkpoints"  # folder of the best model
TRACEBACK = "traceback.txt"  # of what made it fail
RESULT = "result.json"  # metrics of the best model; there once the run is finished


@dataclass(frozen=True)
class Recorded:
    """What a run's folder remembers.

    Args:
        folder: Its folder, whose name is its id.
        choices: Option chosen for each group.
        config: The resolved config, passwords masked.
        splits: Names of the samples in each split; of a stream how many, and by which rule.
        specs: The dataset's `input` and `target`, with what was learned from the train split.
        parent: Id of the run whose model it started from, or None.
        old: Fraction of that run's data that is mixed with its own.
        data_digest: Hash of its data when it began.
    """

    folder: Path
    choices: Mapping[str, str]
    config: Mapping[str, Any]
    splits: Mapping[str, Any]
    specs: Mapping[str, Spec]
    parent: str | None = None
    old: float = 0.0
    data_digest: str | None = None


def new_folder(runs: Path, experiment: str, name: str | None = None) -> Path:
    """Make the folder of a new run, `runs/<experiment>/<id>`, and point `runs/last` to it.

    Args:
        runs: Folder of all runs.
        experiment: Name of the experiment.
        name: The run's id, where it was given one before it began; None makes one.
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
    """Make a folder whose name is an id: the time to the second and four random hex digits."""
    while True:
        folder = parent / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # the same second and the same digits: others are drawn
            continue
        return folder


def find(run: str, runs: Path) -> Recorded:
    """Find a run by its id, by MLflow's id of it, or as `last`.

    Raises:
        UserError: there is no such run; the message names the newest ones.
    """
    folders = sorted(path.parent for path in runs.glob(f"*/*/{IDENTITY}"))
    folders += sorted(path.parent for path in runs.glob(f"debug/*/*/{IDENTITY}"))
    last = (runs / "last").resolve() if (runs / "last").exists() else None
    for folder in folders:
        identity = json.loads((folder / IDENTITY).read_text())
        if run in _names(folder) or (run == "last" and folder == last):
            return _read(folder, identity)
    newest = ", ".join(path.name for path in sorted(folders, key=lambda f: f.name)[-5:]) or "none"
    raise UserError(
        f"no run '{run}'",
        expected=f"the id of a run under {runs.name}/, MLflow's id of it, or 'last'",
        received=f"run={run}; the newest runs are: {newest}",
        remedy="give one of these ids, or train one: make train exp=NAME",
    )


def keep_of(folder: Path) -> str:
    """What the run keeps once it is finished: its setting `tracking.keep`."""
    return yaml.safe_load((folder / CONFIG).read_text())["tracking"].get("keep", "all")


def _names(folder: Path) -> set[str]:
    """What a run can be called: the name of its folder, and MLflow's own id of it."""
    known = delivered(folder)
    return {folder.name, *([known.mlflow_id] if known else [])}


def _read(folder: Path, identity: Mapping[str, Any]) -> Recorded:
    specs = json.loads((folder / SPECS).read_text())
    return Recorded(
        folder,
        identity["choices"],
        yaml.safe_load((folder / CONFIG).read_text()),
        json.loads((folder / SPLITS).read_text()),
        {part: Spec.from_json(read) for part, read in specs.items()},
        identity.get("parent"),
        identity.get("old", 0.0),
        identity.get("data_digest"),
    )
