"""The status of a run, in a few words."""

import json
from pathlib import Path

import yaml

from reprise.runs.folder import CONFIG, RESULT, STATE, TRACEBACK
from reprise.runs.job import PRUNED
from reprise.runs.lock import is_held


def describe(folder: Path) -> str:
    """What became of a run, in a few words."""
    trainer = yaml.safe_load((folder / CONFIG).read_text())["trainer"]
    if is_held(folder):
        return f"running, {_epochs(folder)} of {trainer['epochs']} epochs done"
    if (folder / RESULT).exists():
        result = json.loads((folder / RESULT).read_text())
        name = f"test/{trainer['monitor'].partition('/')[2]}"
        return "finished" + (f", {name} {result[name]:.4f}" if name in result else "")
    if (folder / PRUNED).exists():
        return (folder / PRUNED).read_text().strip()
    ended = "failed" if (folder / TRACEBACK).exists() else "stopped"
    done = f"{_epochs(folder)} of {trainer['epochs']} epochs done"
    return f"{ended}, {done}; to go on: make resume run={folder.name}"


def _epochs(folder: Path) -> int:
    """Epochs that the newest readable state has behind it."""
    from reprise.training.state import read_facts

    facts = read_facts(folder / STATE)
    return facts["epoch"] if facts else 0
