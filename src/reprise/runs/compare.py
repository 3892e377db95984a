"""Compare runs side by side: a table of what differs, and their curves."""

import csv
import json
import shutil
from pathlib import Path

from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.runs.compare_ranking import ranked
from reprise.runs.compare_table import as_text, columns_of, warnings_of
from reprise.runs.folder import IDENTITY
from reprise.runs.job import JOB
from reprise.runs.load import find
from reprise.runs.seen import see

WIDTH = 120  # letters of a line where there is no terminal
NAMED = 5  # columns that a note names
WHICH = ("experiment", "sweep", "runs")


def compare(asked: dict[str, str]) -> None:
    """Print the table, and write it whole as CSV, and the picture, beside the runs."""
    from reprise.runs.compare_overlay import write_overlay

    top = _count(asked["top"])
    title, folders = choose(asked, ROOT / asked["folder"])
    every = ranked([see(folder) for folder in folders], asked["sort"])
    shown = every[:top]
    columns = columns_of(shown)
    text, left_out = as_text(columns, shutil.get_terminal_size((WIDTH, 24)).columns)
    notes = warnings_of(columns)
    if left_out:
        more = f" and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
        notes.append(f"note: no room for {', '.join(left_out[:NAMED])}{more}")
    if len(every) > len(shown):
        notes.append(f"note: the first {len(shown)} of {len(every)} runs; more with top=N")
    print("\n".join([f"{title}\n", text, "", *notes]))
    out = ROOT / asked["folder"] / "compare" / "_".join(title.replace(",", " ").split())[:100]
    out.parent.mkdir(parents=True, exist_ok=True)
    _write(out.with_suffix(".csv"), columns_of(shown, exact=True))
    if write_overlay(out.with_suffix(".png"), shown):
        print(f"curves       {relative(out.with_suffix('.png'))}")


def choose(asked: dict[str, str], runs: Path) -> tuple[str, list[Path]]:
    """The folders of the runs that are asked for, and a title; by default those of the newest's
    experiment.

    Raises:
        UserError: there are none, or it is not clear which.
    """
    given = [key for key in WHICH if asked[key]]
    if len(given) > 1:
        raise UserError(
            "which runs?",
            expected="one of experiment=NAME, sweep=ID, runs=ID,ID",
            received=" ".join(f"{key}={asked[key]}" for key in given),
            remedy="keep one of them",
        )
    if asked["runs"]:
        found = {find(run, runs).folder: None for run in asked["runs"].split(",") if run}
        return f"runs {','.join(run.name.rpartition('-')[2] for run in found)}", [*found]
    if asked["sweep"]:
        return f"sweep {asked['sweep']}", _of_sweep(asked["sweep"], runs)
    experiments = sorted({path.parents[1] for path in runs.glob(f"*/*/{IDENTITY}")})
    newest = max(experiments, key=_newest, default=None)
    chosen = runs / asked["experiment"] if asked["experiment"] else newest
    if chosen not in experiments:
        raise UserError(
            f"no run of '{asked['experiment']}'" if asked["experiment"] else "no run yet",
            expected=", ".join(path.name for path in experiments) or f"a run in {runs.name}/",
            received=f"experiment={asked['experiment']}" if asked["experiment"] else "nothing",
            remedy="choose one of these" if experiments else "train one: make train exp=NAME",
        )
    return f"experiment {chosen.name}", _in(chosen)


def _of_sweep(sweep: str, runs: Path) -> list[Path]:
    """The runs of a sweep's jobs."""
    folders = [
        path.parent
        for path in runs.glob(f"*/*/{JOB}")
        if json.loads(path.read_text())["sweep"] == sweep and (path.parent / IDENTITY).exists()
    ]
    if not folders:
        known = sorted({json.loads(path.read_text())["sweep"] for path in runs.glob(f"*/*/{JOB}")})
        raise UserError(
            f"no run of a sweep '{sweep}'",
            expected="the id of a sweep of which a job has begun",
            received=f"sweep={sweep}; the newest sweeps are: {', '.join(known[-5:]) or 'none'}",
            remedy="give one of these ids",
        )
    return folders


def _in(experiment: Path) -> list[Path]:
    return [path.parent for path in experiment.glob(f"*/{IDENTITY}")]


def _newest(experiment: Path) -> str:
    return max(folder.name for folder in _in(experiment))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UserError("top is wrong", "a whole number >= 1", f"top={text}", "choose one: top=20")
    return int(text)


def _write(path: Path, columns: dict[str, list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[*columns], *zip(*columns.values(), strict=True)])
    print(f"whole table  {relative(path)}")
