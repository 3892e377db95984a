"""Put the sample data in place.

DVC makes and keeps the files. What stands here decides what goes into dvc.lock: a hash other than
the recorded one is said, and recorded only when the user accepts it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.dvc import Change, Dvc

UNDO = ".dvc/tmp/reprise.undo.json"  # there only while DVC writes, or after it was cut short


def show(stages: list[str], *, accept: bool) -> None:
    """Make the data of these stages available, or of all there are, and print what is in place."""
    dvc = Dvc(ROOT)
    stages = stages or list(dvc.stages())
    make_available(stages, accept=accept)
    for (stage, path), digest in dvc.hashes().items():
        if stage in stages:
            print(f"{path} is in place, as dvc.lock has it: {digest}")


def stage_for(path: Path) -> str | None:
    """Name of the stage of dvc.yaml that makes this file or folder, or the folder it is in."""
    for stage, node in Dvc(ROOT).stages().items():
        for out in node.get("outs", []):
            made = ROOT / (out if isinstance(out, str) else next(iter(out)))
            if Path(os.path.normpath(ROOT / path)).is_relative_to(made):
                return stage
    return None


def missing_stages(paths: Iterable[Path]) -> list[str]:
    """Stages that must run before these paths can be used: they are missing, or were cut short."""
    cut_short = (ROOT / UNDO).exists()
    wanted = {stage_for(path) for path in paths if cut_short or not (ROOT / path).exists()}
    return sorted(stage for stage in wanted if stage)


def make_available(stages: list[str], accept: bool = False) -> None:
    """Fetch or make what these stages put under data/; about a second when nothing changed.

    Args:
        stages: Names of stages of dvc.yaml.
        accept: Record hashes that differ from those in dvc.lock.

    Raises:
        UserError: no such stage; a stage fails; or the files are not those of dvc.lock, because
            they were changed by hand or the stage makes others now. dvc.lock is as before then.
    """
    dvc = Dvc(ROOT)
    known = dvc.stages()
    for stage in stages:
        if stage not in known:
            listed = ", ".join(known) or "none"
            raise UserError(f"no stage '{stage}'", f"one of dvc.yaml: {listed}", stage, "name one")
    if not stages:
        return
    with dvc.alone():
        _undo(dvc)
        changes = dvc.changes(stages)
        for stage, change in changes.items():
            if change.foreign and not accept:
                raise _foreign(dvc, stage, change)
            if change.complete:
                _record(dvc, ["commit", "--force", stage], accept)
            else:
                dvc.discard(change)
        if not all(change.complete for change in changes.values()):
            print(f"data: making {', '.join(changes)}", file=sys.stderr, flush=True)
            _record(dvc, ["repro", *dvc.pull(), *stages], accept, remade=list(changes))


def _record(dvc: Dvc, words: list[str], accept: bool, remade: Sequence[str] = ()) -> None:
    """Run a command of DVC's that writes dvc.lock, and undo it if it fails or may not be kept."""
    text, old = dvc.lock_text(), dvc.hashes()
    dvc.write(UNDO, json.dumps({"lock": text, "remade": remade}))
    try:
        dvc.run(*words)
    except UserError:
        _undo(dvc)
        raise
    changed = {key: new for key, new in dvc.hashes().items() if old.get(key, new) != new}
    if changed and not accept:
        dvc.write("dvc.lock", text)
    (ROOT / UNDO).unlink()
    for (stage, path), new in changed.items():
        was = old[stage, path]
        if not accept:
            raise _other_hash(stage, path, was, new)
        print(f"data: {path} had hash {was}, has {new}: accepted; commit dvc.lock", file=sys.stderr)


def _undo(dvc: Dvc) -> None:
    """Where a command failed or was killed: put dvc.lock back, remove what is half made."""
    if not (ROOT / UNDO).exists():
        return
    saved = json.loads((ROOT / UNDO).read_text())
    as_committed = ["git", "diff", "--quiet", "HEAD", "--", "dvc.lock"]
    if dvc.lock_text() != saved["lock"] and subprocess.run(as_committed, cwd=ROOT).returncode:
        dvc.write("dvc.lock", saved["lock"])
    remade = [stage for stage in saved["remade"] if stage in dvc.stages()]
    if remade:
        for change in dvc.changes(remade).values():
            dvc.discard(change)
    (ROOT / UNDO).unlink()


def _foreign(dvc: Dvc, stage: str, change: Change) -> UserError:
    path = change.foreign[0]
    files = dvc.differing_files(path)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    recorded = dvc.hashes().get((stage, path))
    return UserError(
        f"{path} has other files than stage '{stage}' of dvc.lock records",
        expected=f"hash {recorded}" if recorded else "no such path: nothing is recorded yet",
        received=f"{files[0] if files else path}{more}",
        remedy=f"to have the recorded files: rm -r {path} && make data\n"
        f'to record those that are there: make data args="{stage} accept=true"',
    )


def _other_hash(stage: str, path: str, was: str, new: str) -> UserError:
    return UserError(
        f"stage '{stage}' made other files in {path} than dvc.lock records",
        expected=f"hash {was}",
        received=f"hash {new}; the files are left there, dvc.lock is as it was",
        remedy="if they should differ (its script was changed, say): "
        f'make data args="{stage} accept=true"\n'
        "if not: the stage is not reproducible here; mend its script",
    )
