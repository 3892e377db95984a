"""Make data available by a stage of dvc.yaml or, without one, by a module of reprise.samples.

DVC makes and keeps the files of its stages. This module decides what goes into dvc.lock: a hash
that differs from the recorded one is an error, and is recorded only if the user accepts it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reprise.errors import UserError
from reprise.files import lock, locked, write_text
from reprise.project import ROOT

SAMPLES = ("segmentation", "denoise", "audio", "digits", "iris")  # each makes data/NAME
UNDO = ".dvc/tmp/reprise.undo.json"  # exists while DVC writes, and after it was interrupted
ALONE = ".dvc/tmp/reprise.alone"  # locked by the process that runs DVC
REAPING_S = 20  # a killed DVC counts as running until its parent has reaped it


def show(stages: list[str], *, accept: bool) -> None:
    """Make the data of these stages available, or of all there are, and print what is in place."""
    stages = stages or list(_stages()) or list(SAMPLES)
    make_available(stages, accept=accept)
    for (stage, path), digest in _hashes().items():
        if stage in stages:
            print(f"{path} is in place, as dvc.lock has it: {digest}")
    for name in stages:
        if name not in _stages():
            print(f"data/{name} is in place")


def stage_for(path: Path) -> str | None:
    """Name of the stage that makes this file or folder, or the folder it is in."""
    stages = _stages()
    made = {f"data/{name}": name for name in SAMPLES if name not in stages}
    for stage, node in stages.items():
        outs = [out if isinstance(out, str) else next(iter(out)) for out in node.get("outs", [])]
        made |= dict.fromkeys(outs, stage)
    full = Path(os.path.normpath(ROOT / path))
    return next((stage for out, stage in made.items() if full.is_relative_to(ROOT / out)), None)


def is_providable(path: Path) -> bool:
    """Whether a stage or a sample makes this file or folder."""
    return stage_for(path) is not None


def missing_stages(paths: Iterable[Path]) -> list[str]:
    """Stages that must run before these paths can be used: missing ones, and interrupted ones."""
    cut_short = (ROOT / UNDO).exists()
    wanted = {stage_for(path) for path in paths if cut_short or not (ROOT / path).exists()}
    return sorted(stage for stage in wanted if stage)


def make_available(stages: list[str], accept: bool = False) -> None:
    """Fetch or make what these stages put under data/; about a second when nothing changed.

    Args:
        stages: Names of stages of dvc.yaml, or of samples.
        accept: Record hashes that differ from those in dvc.lock.

    Raises:
        UserError: no such stage; a stage fails; or the files are not those of dvc.lock, because
            they were changed by hand or the stage makes others now. dvc.lock is as before then.
    """
    known = list(_stages())
    for stage in stages:
        if stage not in known and stage not in SAMPLES:
            listed = f"dvc.yaml: {', '.join(known)}" if known else f"these: {', '.join(SAMPLES)}"
            raise UserError(f"no stage '{stage}'", f"one of {listed}", stage, "name one")
    for name in stages:
        if name not in known:
            _make_sample(name)
    if of_dvc := [stage for stage in stages if stage in known]:
        with _alone():
            _bring(of_dvc, accept)


def _make_sample(name: str) -> None:
    """Make data/NAME, whole or not at all, unless it is there."""
    folder = ROOT / "data" / name
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.parent):
        if folder.exists():
            return
        print(f"data: making {name}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"reprise.samples.{name}", "--out", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise _failed(f"making the sample data '{name}'", done, f"reprise data {name}")


def _failed(what: str, done: subprocess.CompletedProcess[str], command: str) -> UserError:
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return UserError(
        f"{what} failed",
        expected="exit code 0",
        received="\n".join(said[-12:]),
        remedy=f"mend what it complains of, then: {command}",
    )


def _stages() -> dict[str, Any]:
    """The stages of dvc.yaml by name, as they stand there."""
    return _read("dvc.yaml").get("stages", {})


def _hashes() -> dict[tuple[str, str], str]:
    """The outputs that dvc.lock records, `{(stage, path): hash}`."""
    return {
        (name, out["path"]): out["md5"]
        for name, stage in _read("dvc.lock").get("stages", {}).items()
        for out in stage.get("outs", [])
    }


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load(_text(name)) or {}


def _text(name: str) -> str:
    return (ROOT / name).read_text() if (ROOT / name).exists() else ""


@dataclass(frozen=True)
class Change:
    """How one stage differs from dvc.lock.

    Args:
        foreign: Its outputs that are there, but with other files than the recorded ones.
        complete: Whether every output is there, made by the script and command of today.
    """

    foreign: tuple[str, ...]
    complete: bool

    def discard(self) -> None:
        """Delete the files that are about to be made anew."""
        for path in self.foreign:
            place = ROOT / path
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process runs DVC here: DVC fails while another DVC runs.

    DVC inherits the lock: where this process is killed, the next one waits until DVC has ended.
    """
    path = ROOT / ALONE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        if not lock(file, wait=False):
            print("data: another process is at it; waiting", file=sys.stderr, flush=True)
            lock(file)
        yield


def _dvc(*words: str) -> str:
    """Run one DVC command; what it printed.

    Raises:
        UserError: it failed; the message has the last lines of what it said.
    """
    python = Path(sys.executable)
    # what a stage calls `python` is this one
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    for _ in range(REAPING_S):
        done = subprocess.run(
            [python, "-m", "dvc", *words],
            cwd=ROOT,
            env={**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            close_fds=False,
        )
        if done.returncode == 0:
            return done.stdout
        if "is busy" not in done.stderr:
            break
        time.sleep(1)
    raise _failed(f"dvc {' '.join(words)}", done, "make data")


def _bring(stages: list[str], accept: bool) -> None:
    """Fetch or make what is not as dvc.lock has it."""
    _undo()
    changes = _changes(stages)
    for stage, change in changes.items():
        if change.foreign and not accept:
            raise _other_files(stage, change.foreign[0])
        if change.complete:
            _record(["commit", "--force", stage], accept)
        else:
            change.discard()
    if not all(change.complete for change in changes.values()):
        print(f"data: making {', '.join(changes)}", file=sys.stderr, flush=True)
        # without a remote --pull would fail for some changes
        pull = ["--pull"] if _dvc("config", "core.remote").strip() else []
        _record(["repro", *pull, *stages], accept, remade=list(changes))


def _changes(stages: list[str]) -> dict[str, Change]:
    """Differences from dvc.lock in these stages and in those they depend on; empty if none."""
    status = json.loads(_dvc("status", "--json", "--with-deps", *stages))
    recorded = {stage for stage, _ in _hashes()}
    changes = {}
    for stage, entries in status.items():
        outs: dict[str, str] = {}
        for entry in entries:
            outs |= entry.get("changed outs", {}) if isinstance(entry, dict) else {}
        there = [path for path in outs if (ROOT / path).exists()]
        # where the cache lacks a file, DVC says only that
        foreign = tuple(p for p in there if outs[p] == "modified" or _differing(p))
        stale = stage in recorded and any("changed outs" not in entry for entry in entries)
        changes[stage] = Change(foreign, len(there) == len(outs) and not stale)
    return changes


def _differing(path: str) -> list[str]:
    """Files at or under an output that differ, each with `modified`, `added` or `deleted`."""
    status = json.loads(_dvc("data", "status", "--json", "--granular"))
    return [
        f"{name} {kind}"
        for kind, names in status.get("uncommitted", {}).items()
        for name in names
        if name == path or (name.startswith(f"{path}/") and not name.endswith("/"))
    ]


def _record(words: list[str], accept: bool, remade: Sequence[str] = ()) -> None:
    """Run a DVC command that writes dvc.lock; restore it on failure or an unaccepted change."""
    text, old = _text("dvc.lock"), _hashes()
    write_text(ROOT / UNDO, json.dumps({"lock": text, "remade": remade}))
    try:
        _dvc(*words)
    except UserError:
        _undo()
        raise
    changed = {key: new for key, new in _hashes().items() if old.get(key, new) != new}
    if changed and not accept:
        write_text(ROOT / "dvc.lock", text)
    (ROOT / UNDO).unlink()
    for (stage, path), new in changed.items():
        was = old[stage, path]
        if not accept:
            raise _other_hash(stage, path, was, new)
        note = f"{path} had hash {was}, has {new}: accepted; commit dvc.lock"
        print(f"data: {note}", file=sys.stderr)


def _undo() -> None:
    """After a command that failed or was killed: restore dvc.lock, delete incomplete outputs."""
    if not (ROOT / UNDO).exists():
        return
    saved = json.loads((ROOT / UNDO).read_text())
    as_committed = ["git", "diff", "--quiet", "HEAD", "--", "dvc.lock"]
    is_other = _text("dvc.lock") != saved["lock"]
    if is_other and subprocess.run(as_committed, cwd=ROOT).returncode:
        write_text(ROOT / "dvc.lock", saved["lock"])
    if remade := [stage for stage in saved["remade"] if stage in _stages()]:
        for change in _changes(remade).values():
            change.discard()
    (ROOT / UNDO).unlink()


def _other_files(stage: str, path: str) -> UserError:
    files = _differing(path)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    recorded = _hashes().get((stage, path))
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
