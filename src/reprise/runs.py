"""List the runs on this machine and what became of them: `python -m reprise.runs [runs=FOLDER]`."""

import json
from pathlib import Path

import yaml

from reprise import command
from reprise.project import ROOT
from reprise.run_folder import CONFIG, IDENTITY, RESULT, STATE, TRACEBACK
from reprise.run_lock import is_held
from reprise.sweeping.job import PRUNED


def main(argv: list[str]) -> None:
    """Print a line for each run, the newest last; what can be resumed is marked so."""
    runs = ROOT / command.options(argv, runs="runs")["runs"]
    folders = [path.parent for path in runs.glob(f"*/*/{IDENTITY}")]
    for folder in sorted(folders, key=lambda folder: folder.name):
        print(f"{folder.name}  {folder.parent.name:<14} {describe(folder)}")
    if not folders:
        print(f"no run in {runs.name}/ yet: make train exp=NAME")


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


if __name__ == "__main__":
    command.run(main)
