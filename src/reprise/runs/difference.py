"""What tells two runs apart: in config, code, data, packages, machine and metrics."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from reprise.config.compose import differences, flatten
from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.runs.folder import PACKAGES, SNAPSHOT
from reprise.tracking.contents import SHOWN, changes, read_list
from reprise.tracking.journal import metric_history, tags_of
from reprise.tracking.provenance import packages
from reprise.tracking.snapshot import Snapshot, take_snapshot

if TYPE_CHECKING:
    from reprise.runs.load import SavedRun

MACHINE = ("backend", "device", "platform", "machine.cpu", "machine.threads")
PLACE = {"tracking.runs", "tracking.experiment", "tracking.uri"}  # keys of where a run is kept
NAMES, STAT, PATCH = "--name-only", "--stat=100", "--binary"  # git's words


def changed_config(first: SavedRun, second: SavedRun) -> list[str]:
    """Keys of the configuration, `key: before -> now` each; but for where the runs are kept."""
    before, now = (flatten(dict(run.config)) for run in (first, second))
    lines = differences(before, now)
    return [line for line in lines if line.partition(":")[0] not in PLACE]


def changed_code(first: Path, second: Path, form: str = NAMES) -> list[str]:
    """Lines of git's diff between the code of two runs; none where it is the same.

    Args:
        first: A run's folder.
        second: The other one's.
        form: What the lines are: NAMES, STAT or PATCH.

    Raises:
        UserError: a run has recorded no code, or its record is damaged.
    """
    trees = [tags_of(folder).get("code.tree") for folder in (first, second)]
    if trees[0] == trees[1] and trees[0] is not None:
        return []
    return diff_bundles(_bundle(first), _bundle(second), form)


def _bundle(folder: Path) -> Path:
    bundle = folder / SNAPSHOT
    if not bundle.exists():
        tags = tags_of(folder)
        why = "the file is gone" if "code.tree" in tags else tags.get("code.problem")
        why = why or "it was made before snapshots were recorded"
        raise UserError(
            f"the code of run {folder.name} is not recorded",
            f"{SNAPSHOT} in its folder",
            why,
            "compare the commits that the runs' tags git.commit name",
        )
    return bundle


def diff_bundles(first: Path, second: Path, form: str = NAMES) -> list[str]:
    """Lines of git's diff between two snapshots, as `changed_code` gives them."""
    from reprise.runs.rebuild import bring_bases

    with TemporaryDirectory() as scratch:
        _git(scratch, "init", "-q", "--bare")
        for name, bundle in (("first", first), ("second", second)):
            try:
                bring_bases(bundle, Path(scratch))
                _git(scratch, "fetch", "-q", str(bundle.resolve()), f"HEAD:refs/heads/{name}")
            except subprocess.CalledProcessError as error:
                raise UserError(
                    f"{relative(bundle)} cannot be read",
                    "a git bundle",
                    error.stderr.decode(errors="replace").strip(),
                    "copy the run's folder again, or take the artifact snapshot/ from MLflow",
                ) from None
        plain = ("-c", "core.quotePath=false", "diff", "--no-color", "--no-ext-diff", "-M")
        return _git(scratch, *plain, form, "first", "second").split("\n")[:-1]


def _git(folder: str, *words: str) -> str:
    command = ["git", "-C", folder, *words]
    done = subprocess.run(command, check=True, capture_output=True)
    return done.stdout.decode(errors="replace")


def changed_since(
    folder: Path, shared: Path, data: Sequence[Path]
) -> tuple[Snapshot, list[str], list[str]]:
    """What of code and packages here has changed since a run began.

    Args:
        folder: The run's folder.
        shared: Folder of the snapshots' files.
        data: Files and folders that are no code, as `take_snapshot` takes them.

    Returns:
        The code of now, lines of git's diff to it (STAT), and packages, a line each. Code that is
        recorded of then or of now alone has no lines.
    """
    now, lines = take_snapshot(ROOT, shared, data), []
    then, bundle = tags_of(folder).get("code.tree"), folder / SNAPSHOT
    if now.tree and then not in (None, now.tree) and bundle.exists():
        try:
            lines = diff_bundles(bundle, shared / f"{now.tree}.bundle", STAT)
        except UserError as error:  # a commit that one of them is based on cannot be had
            lines = [f"code: {error.args[0]}"]
    return now, [line.strip() for line in lines], changed_packages(folder, None)


def changed_data(first: SavedRun, second: SavedRun, shown: int = SHOWN) -> list[str]:
    """Input files that came, went or changed, a line for each kind of change.

    Args:
        first: A run.
        second: Another one.
        shown: Names in a line, at most.
    """
    lists = [read_list(run.folder) for run in (first, second)]
    if lists[0] and lists[1]:
        lines = changes(lists[0][1], lists[1][1], shown)
        verified = [tags_of(run.folder).get("data.dvc") == "verified" for run in (first, second)]
        if lines or verified[0] != verified[1]:  # DVC's digest differs from one of names and sizes
            return lines
    same = first.data_digest == second.data_digest
    return [] if same else [f"{first.data_digest} -> {second.data_digest}"]


def changed_packages(first: Path, second: Path | None) -> list[str]:
    """Packages, and Python, `name: before -> now` each; none if a run has not recorded them.

    Args:
        first: A run's folder.
        second: Another one's; None: what is installed now.
    """
    had = _packages(_listed(first))
    has = _packages(packages() if second is None else _listed(second))
    return differences(had, has) if had and has else []


def _listed(folder: Path) -> str:
    file = folder / PACKAGES
    return file.read_text() if file.exists() else ""


def _packages(listed: str) -> dict[str, str]:
    found = dict(line.split("==", 1) for line in listed.splitlines())
    found.pop("reprise", None)  # of the engine its hash tells more
    return found


def changed_engine(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    """The hashes of the engine's own code, where these tags of two runs differ in it."""
    had, has = one.get("engine.sha256"), two.get("engine.sha256")
    return [] if had == has else [f"{had} -> {has}"]


def changed_machine(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    """Device, system, processor and threads, where these tags of two runs differ in it."""
    return [f"{n}: {one.get(n)} -> {two.get(n)}" for n in MACHINE if one.get(n) != two.get(n)]


def metrics_of(folder: Path) -> dict[str, float]:
    """Metrics of a run's best model, or of its best epoch so far; of `train/…` the last epoch's."""
    from reprise.runs.compare import read_summary

    last = {
        name: values[max(values)]
        for name, values in metric_history(folder).items()
        if name.startswith("train/")
    }
    return {**read_summary(folder).metrics, **last}


def beside(one: Mapping[str, float], two: Mapping[str, float]) -> Sequence[Sequence[str]]:
    """Rows of a table: metric, both values, and the second less the first."""
    rows = []
    for name in {**one, **two}:
        change = two.get(name, math.nan) - one.get(name, math.nan)
        shown = [f"{of[name]:.6g}" if name in of else "" for of in (one, two)]
        rows.append([name, *shown, "" if math.isnan(change) else f"{change:+.2g}"])
    return rows
