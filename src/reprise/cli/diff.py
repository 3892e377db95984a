"""Say what differs between two runs: `reprise diff runs=A,B [show=PART]`.

Prints the verdict on their numbers, what differs in config, code, data, packages and machine, and
their metrics side by side, a few lines of each. `show=PART` prints all of one part: `config`,
`code` (a unified diff), `data`, `packages`, `machine` or `metrics`. `folder=FOLDER` looks elsewhere
than in runs/; a run that is only in MLflow is brought from there, from `uri=ADDRESS` if that is
another store.
"""

from collections.abc import Sequence
from pathlib import Path

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.bring import find_or_bring
from reprise.runs.difference import (
    PATCH,
    STAT,
    beside,
    changed_code,
    changed_config,
    changed_data,
    changed_engine,
    changed_machine,
    changed_packages,
    metrics_of,
)
from reprise.runs.folder import PACKAGES, to_type
from reprise.runs.load import SavedRun
from reprise.runs.score import markdown_table
from reprise.runs.verdict import compare
from reprise.tracking.journal import of_all_classes, tags_of

PARTS = ("config", "code", "data", "packages", "machine", "metrics")
SHOWN = 6  # lines of a part
EVERY = 1_000_000


def main(argv: list[str]) -> None:
    """Print the difference, or all of one part of it."""
    asked = options(argv, runs=None, show="", folder="runs", uri="")
    names = asked["runs"].split(",")
    if len(names) != 2 or not all(names):
        raise UserError("which two runs?", "runs=A,B", f"runs={asked['runs']}", "name two")
    if asked["show"] not in ("", *PARTS):
        expected = f"one of {', '.join(PARTS)}"
        raise UserError("there is no such part", expected, asked["show"], "choose one of these")
    first, second = (find_or_bring(name, ROOT / asked["folder"], asked["uri"]) for name in names)
    if asked["show"]:
        lines = _part(asked["show"], first, second, whole=True)
        print("\n".join(lines) or f"the same: {asked['show']}")
        return
    print(
        f"{first.folder.name} ({first.experiment}) and {second.folder.name} ({second.experiment})"
    )
    print(compare(first, second).text)
    same = []
    for part in PARTS:
        if lines := _part(part, first, second, whole=False):
            _print_some(part, lines)
        else:
            same.append(part)
    if same:
        print(f"\nthe same: {', '.join(same)}")
    one = to_type("diff", f"runs={asked['runs']}", first.runs, "show=code", key="folder")
    print(f"\nnext:  {one}        for all of one part: {', '.join(PARTS)}")


def _part(part: str, first: SavedRun, second: SavedRun, *, whole: bool) -> Sequence[str]:
    one, two = first.folder, second.folder
    tags = tags_of(one), tags_of(two)
    if part == "config":
        return changed_config(first, second)
    if part == "code":
        return _code(one, two, whole=whole)
    if part == "data":
        return changed_data(first, second, EVERY) if whole else changed_data(first, second)
    if part == "packages":
        if lacking := [folder.name for folder in (one, two) if not (folder / PACKAGES).exists()]:
            return [f"not recorded by {' and '.join(lacking)}"]
        engine = [f"reprise (hash of its code): {line}" for line in changed_engine(*tags)]
        return engine + changed_packages(one, two)
    if part == "machine":
        return changed_machine(*tags)
    values = [metrics_of(folder) for folder in (one, two)]
    if not whole:
        values = [{name: of[name] for name in of_all_classes([*of])} for of in values]
    table = [["metric", one.name, two.name, "change"], *beside(*values)]
    return markdown_table(table, 1).splitlines()


def _code(one: Path, two: Path, *, whole: bool) -> Sequence[str]:
    if whole:
        return changed_code(one, two, PATCH)
    try:
        return [line.strip() for line in changed_code(one, two, STAT)]
    except UserError as error:
        return [f"cannot be compared: {error.args[0]}"]


def _print_some(part: str, lines: Sequence[str]) -> None:
    print(f"\n{part}")
    most = 2 * SHOWN if part == "metrics" else SHOWN
    if part == "code" and len(lines) > most:
        lines = [*lines[: most - 1], f"… {lines[-1]}"]  # the last line counts
    for line in lines[:most]:
        print(f"  {line if len(line) <= 160 else line[:159] + '…'}")
    if len(lines) > most:
        print(f"  … and {len(lines) - most} more")
