"""The training state on disk: written in one step, checked when it is read, the one before kept.

A state is a folder `step-00000120` with `arrays.npz`, and `state.json` that holds the SHA-256 of
both. It is written under a temporary name and renamed, which is the moment it begins to count: a
kill leaves the old state or the new one.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reprise.files import replacing

BEST = "best.keras"  # the best model of a run
ARRAYS, FACTS = "arrays.npz", "state.json"
KEPT = 2  # the newest, and the one before it for when the newest is damaged


@dataclass(frozen=True)
class State:
    """All that the rest of a training depends on.

    Args:
        step: Training steps done since the run began.
        arrays: Every variable's value, by name.
        facts: Everything else, as JSON holds it.
    """

    step: int
    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]


def write_state(folder: Path, state: State) -> Path:
    """Write a state into `folder`, which is made if it is missing, and delete the oldest.

    Returns:
        The state's own folder.

    Raises:
        OSError: the disk is full or cannot be written; the states before are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{state.step:08d}"
    with replacing(final) as partial:
        partial.mkdir()
        np.savez(partial / ARRAYS, allow_pickle=False, **state.arrays)
        facts = {"step": state.step, "facts": dict(state.facts)}
        digest = _digest(partial / ARRAYS, facts)
        (partial / FACTS).write_text(json.dumps(facts | {"sha256": digest}))
    keep_newest(folder, KEPT)
    return final


def keep_newest(folder: Path, count: int) -> None:
    """Delete all states but the newest `count`."""
    states = _states(folder)
    for old in states[: len(states) - count]:
        shutil.rmtree(old, ignore_errors=True)


def read_state(folder: Path) -> tuple[State | None, list[str]]:
    """Read the newest state that is whole.

    Returns:
        The state, or None where there is none; and for each newer one why it was passed over.
    """
    passed: list[str] = []
    for path in reversed(_states(folder)):
        try:
            return _read(path), passed
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            passed.append(f"{path.name} is damaged: {error}")
    return None, passed


def newest_step(folder: Path) -> int:
    """Step of the newest state, unchecked; 0 where there is none."""
    states = _states(folder)
    return int(states[-1].name.rpartition("-")[2]) if states else 0


def read_facts(folder: Path) -> Mapping[str, Any] | None:
    """The facts of the newest state, unchecked; None where there is none."""
    for path in reversed(_states(folder)):
        try:
            return json.loads((path / FACTS).read_text())["facts"]
        except (OSError, ValueError, KeyError):
            continue
    return None


def _read(path: Path) -> State:
    facts = json.loads((path / FACTS).read_text())
    if facts.pop("sha256") != _digest(path / ARRAYS, facts):
        raise ValueError(f"{ARRAYS} and {FACTS} are not what was written")
    with np.load(path / ARRAYS, allow_pickle=False) as arrays:
        return State(facts["step"], dict(arrays), facts["facts"])


def _digest(arrays: Path, facts: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    with arrays.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _states(folder: Path) -> list[Path]:
    """The folders of states, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())
