"""Train a recorded run again from its record, and say whether the same came of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from reprise.config.build import build
from reprise.config.overrides import quoted, restate
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.bring import ancestors, find_or_bring
from reprise.runs.folder import RESULT, held, to_type
from reprise.runs.load import SavedRun, find
from reprise.runs.rebuild import bring_data, python_of, rebuild_code, require_same_data
from reprise.runs.resume import FREE
from reprise.runs.verdict import Verdict, compare
from reprise.tracking.folders import DEBUG, is_debug
from reprise.tracking.journal import Journal, tags_of
from reprise.tracking.settings import Tracking, tracking_uri


def reproduce(
    run: str,
    runs: Path,
    *,
    epochs: int | None,
    here: Sequence[str],
    changes: Sequence[str],
    full: bool = False,
    uri: str = "",
) -> Verdict:
    """Train a run again with the code, packages, data and words that it records.

    Everything happens in `<runs>/.reproduce/<id>`, which is gone afterwards; the project's files
    are not touched. The new run stands beside the old one as its child, and both record the
    verdict.

    A run that has no folder here is first brought from the tracking store.

    Args:
        run: Its id, MLflow's id of it, the file of an exported run, or `last`.
        runs: Folder of all runs.
        epochs: Train this many and compare only these; None: all.
        here: What is taken as it is here today: `code`, `data`, `packages`.
        changes: Further overrides, to see what they change.
        full: Read every input file again, whatever is remembered of it, and those of DVC, too.
        uri: Address of the store; '': the one of the configuration.

    Raises:
        UserError: something that the run was made of is missing; nothing has been trained.
    """
    saved = find_or_bring(run, runs, uri)
    saved.use_backend(exactly=True)  # of the process that trains, too
    with held(saved.folder):  # of two at once the second is refused: they would share the code
        return _reproduce(saved, epochs, here, changes, full, uri)


def _reproduce(
    saved: SavedRun,
    epochs: int | None,
    here: Sequence[str],
    changes: Sequence[str],
    full: bool,
    uri: str,
) -> Verdict:
    if epochs is None and not (saved.folder / RESULT).exists():
        raise UserError(
            f"run {saved.folder.name} has not finished",
            "a finished run, or epochs=N with what it has done",
            "no result.json in its folder",
            "add epochs=N, or finish it first: "
            + to_type("resume", f"run={saved.folder.name}", saved.runs),
        )
    _refuse_changed_on_the_way(saved)
    if went_on := tags_of(saved.folder).get("code.resumed"):
        print(f"note: the run has gone on with other code, or packages, {went_on}")
    chain = [saved, *ancestors(saved, uri)]
    place = saved.runs / ".reproduce" / saved.folder.name
    try:
        project = ROOT if "code" in here else rebuild_code(saved, place)
        environments = saved.runs / ".environments"
        python = sys.executable if "packages" in here else python_of(saved, environments, project)
        brought: list[str] = []
        if project != ROOT:
            for one in chain:  # an update reads its parent's data, too
                brought += bring_data(one, project, from_here="data" in here)
        if "data" not in here:
            require_same_data(saved, project, brought, full=full)
        second = _train(saved, project, python, epochs, changes, uri)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    verdict = compare(saved, second, epochs)
    _record(saved, second, verdict)
    return verdict


def _refuse_changed_on_the_way(saved: SavedRun) -> None:
    """Refuse a run that was resumed with other settings: no training from step 0 is its equal."""
    for file in sorted(saved.folder.glob("changes_at_step_*.txt")):
        changes = [line for line in file.read_text().splitlines() if _is_grave(line)]
        if changes:
            raise UserError(
                f"run {saved.folder.name} was resumed with other settings",
                "one configuration and one version of the data, from the first step to the last",
                f"{file.name}: {'; '.join(changes)}",
                "train a run of its own with the settings that you want, and reproduce that",
            )


def _is_grave(change: str) -> bool:
    return change.partition(":")[0] not in FREE


def _train(
    saved: SavedRun,
    project: Path,
    python: str,
    epochs: int | None,
    changes: Sequence[str],
    uri: str,
) -> SavedRun:
    """Train in `project` with the run's own words; returns the new run."""
    settings: Tracking = build(saved.config["tracking"])
    runs = saved.runs.resolve()
    beside = runs / DEBUG if is_debug(saved.folder, saved.runs) else runs
    own = [
        f"tracking.experiment={quoted(saved.experiment)}",
        f"tracking.runs={quoted(str(beside))}",
        f"tracking.uri={quoted(tracking_uri(uri or settings.uri))}",
        *changes,
    ]
    words = restate(saved.config, saved.choices, own, project / "conf")
    verb = ["train"]
    if saved.parent:
        verb = ["update", f"run={saved.parent}", f"old={saved.old}", f"runs={runs}"]
    environment = dict(os.environ)
    if (project / "src/reprise").is_dir():
        environment["PYTHONPATH"] = str(project / "src")
    process = subprocess.Popen(
        [python, "-m", "reprise", *verb, *words],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    name = ""
    for line in _lines(process):
        print(f"  {line}", end="", flush=True)
        if line.startswith("run ") and not name:
            name = line.split()[1]
        if epochs and line.startswith(f"epoch {epochs}/"):
            process.send_signal(signal.SIGTERM)
    code = process.wait()
    if code not in ((0, 75) if epochs else (0,)) or not name:
        raise UserError(
            f"run {saved.folder.name} could not be trained again",
            "a training that ends as the first one did",
            f"exit code {code}; its reason stands above",
            "mend that: data that its code opens by itself is there only if the config names it; "
            f"see {to_type('clone', f'run={saved.folder.name}', saved.runs)}; or take code=here",
        )
    return find(name, saved.runs)


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout
    try:
        yield from process.stdout
    except BaseException:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise


def _record(first: SavedRun, second: SavedRun, verdict: Verdict) -> None:
    """Record the verdict with both runs, in their journals; sync delivers it."""
    from reprise.runs.sync import deliver_run

    text = "\n".join([verdict.text, *verdict.details])
    for run, other in ((first, second), (second, first)):
        journal = Journal(run.folder, _refuse)
        tags = {"reproduced": verdict.text, "reproduced.run": other.folder.name}
        journal.add("tags", values=tags)
        file = run.folder / "reproduced.txt"
        file.write_text(f"{other.folder.name}\n{text}\n")
        journal.add("artifact", path=file.name)
    Journal(second.folder, _refuse).add("parent", run=first.folder.name)
    for run in (first, second):
        deliver_run(run.folder)


def _refuse(error: OSError) -> None:
    raise error
