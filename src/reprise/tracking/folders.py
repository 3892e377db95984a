"""Where the folders of runs are: the one place that looks for them.

runs/<experiment>/<id>          a run or a sweep; the experiment's name can hold `/`
runs/debug/<experiment>/<id>    the same with debug=…
runs/last                       a link to the run that began last, those with debug=… apart
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath

from reprise.tracking.journal import JOURNAL, entries

DEBUG, LAST = "debug", "last"
STORES = {"mlartifacts", "mlruns"}  # MLflow's own, with copies of what runs have recorded
# Files by which the folder of a run or a sweep is known; no other run lies in it.
MARKS = {JOURNAL, "run.json", "sweep.json"}


def run_folders(runs: Path, holding: str = JOURNAL) -> list[Path]:
    """Folders of runs and sweeps at any depth, the oldest first; those of debug=… come last.

    Links are followed where they lead out of `runs`. A folder that must not be read is named on
    stderr.

    Args:
        runs: Folder of all runs.
        holding: A file that the folders hold.
    """
    found = _walk(runs, holding, runs.resolve(), set())
    return sorted(found, key=lambda folder: (is_debug(folder, runs), folder.name, folder))


def _walk(folder: Path, holding: str, runs: Path, seen: set[Path]) -> Iterator[Path]:
    try:
        inside = {entry.name: entry for entry in os.scandir(folder)}
    except PermissionError:
        print(f"note: {folder} cannot be read; its runs are left out", file=sys.stderr)
        return
    except OSError:  # no folder, or deleted meanwhile
        return
    if holding in inside:
        yield folder
    if MARKS & inside.keys():
        return
    for name, entry in inside.items():
        try:
            is_folder = entry.is_dir()
        except OSError:  # a link in a circle, or to where nothing may be read
            continue
        if name.startswith(".") or name in STORES or not is_folder:
            continue
        if entry.is_symlink():
            target = Path(entry.path).resolve()
            if target.is_relative_to(runs) or runs.is_relative_to(target) or target in seen:
                continue
            seen.add(target)
        yield from _walk(folder / name, holding, runs, seen)


def is_debug(folder: Path, runs: Path) -> bool:
    """Whether a run was made with debug=…, apart from the real ones in `runs`."""
    return folder.relative_to(runs).parts[:1] == (DEBUG,)


def name_in(folder: Path, runs: Path) -> str:
    """The experiment that a run stands under in `runs`, such as `team/iris` or `debug/iris`."""
    return folder.parent.relative_to(runs).as_posix()


def folder_named(run: str, runs: Path, holding: str = JOURNAL) -> Path | None:
    """The folder of the run or sweep with an id, if it holds a file; None if there is none."""
    return next((folder for folder in run_folders(runs, holding) if folder.name == run), None)


def all_runs(runs: Path) -> Path:
    """The folder of all runs that `runs` is or, of those with debug=…, is in."""
    return runs.parent if runs.parts[-2:] == ("runs", DEBUG) else runs


def home(folder: Path) -> Path:
    """The folder of all runs that the run or sweep in `folder` is in."""
    above = folder.parents
    if name := experiment_of(folder):
        return all_runs(above[min(len(PurePath(name).parts), len(above) - 1)])
    return all_runs(next((one for one in above if (one / LAST).is_symlink()), above[1]))


def experiment_of(folder: Path) -> str | None:
    """Name of the experiment that a run was recorded for; None if its journal has not begun."""
    start = next(entries(folder, "start"), None)
    return start["experiment"] if start else None
