"""The code and the packages that the jobs of a sweep were trained with."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from reprise.errors import UserError
from reprise.runs.difference import STAT, changed_code, changed_packages, changed_since
from reprise.runs.folder import place_of
from reprise.sweeps.ledger import Ledger
from reprise.sweeps.plan import Plan
from reprise.tracking.journal import tags_of


def say_changes(ledger: Ledger, plan: Plan) -> None:
    """Say what of code and packages has changed since the first job of a sweep began."""
    jobs = _recorded(ledger)
    if not jobs:
        return
    runs = place_of(plan.first)[0]
    _, code, packages = changed_since(jobs[0][1], runs / ".code", [*plan.sources, runs])
    if code or packages:
        text = indent("\n".join([*code, *packages]), "  ")
        print(f"note: since the sweep began this has changed, for the jobs to come:\n{text}")


def other_jobs(ledger: Ledger) -> dict[int, str]:
    """What the code and packages of other jobs have changed of those of the first, by their number.

    A job that was stopped and has gone on with other code is among them.
    """
    found: dict[int, str] = {}
    jobs = _recorded(ledger)
    same: dict[str, list[str]] = {}  # lines by tree
    for number, folder, tags in jobs:
        first, tree = jobs[0][1], tags["code.tree"]
        if tree not in same:
            same[tree] = _compared(first, folder)
        lines = [*same[tree], *changed_packages(first, folder)]
        if "code.resumed" in tags:
            lines += tags["code.resumed"].splitlines()
        if lines:
            found[number] = "\n".join(lines)
    return found


def _recorded(ledger: Ledger) -> list[tuple[int, Path, dict[str, str]]]:
    """Number, folder and tags of the jobs whose run has recorded its code."""
    folders = [(job.number, ledger.run_folder(job)) for job in ledger.jobs()]
    found = [(number, at, tags_of(at)) for number, at in folders if at]
    return [one for one in found if "code.tree" in one[2]]


def _compared(first: Path, folder: Path) -> list[str]:
    try:
        return [line.strip() for line in changed_code(first, folder, STAT)]
    except UserError as error:
        return [error.args[0]]
