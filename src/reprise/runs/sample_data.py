"""Make data available: by a stage of dvc.yaml, a `.dvc` file, or a module of reprise.samples.

DVC makes and keeps the files of its stages. What is there and is not as dvc.lock has it, is neither
replaced nor recorded unless the user accepts it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from reprise.datasets.tracked import pointers, tracked
from reprise.errors import UserError
from reprise.files import locked, write_text
from reprise.project import ROOT, relative, typed

SAMPLES = ("segmentation", "denoise", "audio", "digits", "iris")  # each makes data/NAME
AT_WORK = ".dvc/tmp/reprise.json"  # locked while DVC is at work, and names the stages it makes


def show(names: list[str], *, accept: bool) -> None:
    """Make the data of these stages and `.dvc` files available, or of all, and print what is there.

    Args:
        names: Names of stages of dvc.yaml or of samples, and `.dvc` files or what they stand for.
        accept: Record hashes that differ from the recorded ones.

    Raises:
        UserError: as `make_available`, or as `fetch`.
    """
    own = pointers(ROOT)
    named = {name: out for out, file in own.items() for name in (out, file)}
    named |= {Path(out).name: out for out in own if Path(out).name not in _stages()}
    stages = [name for name in names if name not in named]
    if not names:
        stages = list(_stages()) or ([] if own else list(SAMPLES))
    make_available(stages, accept=accept)
    for (stage, path), digest in _hashes().items():
        if stage in stages:
            print(f"{path} is in place, as dvc.lock has it: {digest}")
    for name in stages:
        if name not in _stages():
            print(f"data/{name} is in place")
    outs = [named[name] for name in names if name in named] if names else list(own)
    wanted = {out: own[out] for out in outs}
    fetch(wanted, accept=accept)
    for out, file in wanted.items():
        print(f"{out} is in place, as {file} has it")


def fetch(own: Mapping[str, str], *, accept: bool = False) -> None:
    """Fetch what is missing of what `.dvc` files stand for, and compare what is there.

    Args:
        own: The `.dvc` files, by the files or folders that they stand for.
        accept: Record the files that are there.

    Raises:
        UserError: no remote has them, or there are other files than recorded; these are left alone.
    """
    if not own:
        return
    (ROOT / AT_WORK).parent.mkdir(parents=True, exist_ok=True)
    with locked(ROOT / AT_WORK):
        said = json.loads(dvc("data", "status", "--json", "--", *own)).get("uncommitted", {})
        changed = {name.rstrip("/") for names in said.values() for name in names}
        missing: list[str] = []
        for out, name in own.items():
            if out not in changed:
                continue
            differing = _differing(out) if (ROOT / out).exists() else []
            if all(line.endswith(" deleted") for line in differing):
                missing.append(name)
            elif not accept:
                raise _other_files(name, out)
            else:
                dvc("commit", "--force", name)
                print(f"data: {out} is recorded as it is; commit {name}", file=sys.stderr)
        if missing:
            listed = ", ".join(missing)
            print(f"data: fetching what {listed} stands for", file=sys.stderr, flush=True)
            try:
                dvc("pull", *missing)
            except UserError as error:
                lacking = re.search(r"requires 'dvc-(\w+)'", error.args[2])
                remedy = "give DVC the remote or its credentials (docs/remotes.md)"
                if lacking:
                    has_setup = (ROOT / "scripts/setup.sh").exists()
                    remedy = "make setup args=" if has_setup else "pip install dvc-"
                    remedy += lacking[1]
                raise UserError(
                    f"what {listed} stands for cannot be fetched",
                    "a remote that has it, and the right to read there",
                    error.args[2],
                    f"{remedy}; then {typed('data')}",
                ) from None


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
    cut_short = bool(_text(AT_WORK))
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
        (ROOT / AT_WORK).parent.mkdir(parents=True, exist_ok=True)
        with locked(ROOT / AT_WORK):  # DVC fails while another DVC runs
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
        run(f"making the sample data '{name}'", command, f"reprise data {name}")


def dvc(*words: str) -> str:
    """Run one DVC command; what it printed."""
    return run(f"dvc {' '.join(words)}", [sys.executable, "-m", "dvc", *words], typed("data"))


def run(what: str, command: list[str], again: str) -> str:
    """Run a program in which `python` is this one; what it printed.

    Raises:
        UserError: it failed; the message has the last lines of what it said.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode == 0:
        return done.stdout
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    raise UserError(
        f"{what} failed",
        expected="exit code 0",
        received="\n".join(said[-12:]),
        remedy=f"mend what it complains of, then: {again}",
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
    try:
        return yaml.safe_load(_text(name)) or {}
    except yaml.YAMLError as error:
        raise UserError(
            f"{relative(ROOT / name)} cannot be read",
            expected="YAML, as DVC writes it",
            received=" ".join(str(error).split()),
            remedy=f"mend it, or have the committed one back: git checkout -- {name}",
        ) from None


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8") if (ROOT / name).exists() else ""


def _bring(stages: list[str], accept: bool) -> None:
    """Fetch or make what is not as dvc.lock has it, in these stages and those they depend on."""
    half = json.loads(_text(AT_WORK) or "[]")  # was being made when DVC was killed
    recorded = {stage for stage, _ in _hashes()}
    to_make: dict[str, list[str]] = {}  # by stage, the files there that its new ones replace
    for stage, entries in json.loads(dvc("status", "--json", "--with-deps", *stages)).items():
        outs: dict[str, str] = {}
        for entry in entries:
            outs |= entry.get("changed outs", {}) if isinstance(entry, dict) else {}
        there = [path for path in outs if (ROOT / path).exists()]
        # where the cache lacks a file, DVC says only that
        other = [path for path in there if outs[path] == "modified" or _differing(path)]
        if other and not accept and stage not in half:
            raise _other_files(stage, other[0])
        is_stale = stage in recorded and any("changed outs" not in entry for entry in entries)
        if stage in half or len(there) < len(outs) or is_stale:
            to_make[stage] = other
        else:
            _record(["commit", "--force", stage], accept)
    if to_make:
        print(f"data: making {', '.join(to_make)}", file=sys.stderr, flush=True)
        (ROOT / AT_WORK).write_text(json.dumps(list(to_make)))
        for path in (path for paths in to_make.values() for path in paths):
            place = ROOT / path
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        # without a remote --pull would fail for some changes
        pull = ["--pull"] if dvc("config", "core.remote").strip() else []
        _record(["repro", *pull, *stages], accept)
    (ROOT / AT_WORK).write_text("")


def _differing(path: str) -> list[str]:
    """Files at or under an output that differ, each with `modified`, `added` or `deleted`."""
    status = json.loads(dvc("data", "status", "--json", "--granular")).get("uncommitted", {})
    known = [name for kind in status if kind != "unknown" for name in status[kind]]
    if not any(name.rstrip("/") == path for name in known):
        return []  # where DVC has lost its list, a folder's files are unknown, though it is right
    inner = [
        f"{name} {kind}"
        for kind, names in status.items()
        for name in names
        if name == path or (name.startswith(f"{path}/") and not name.endswith("/"))
    ]
    return inner or [f"{path} modified"]


def _record(words: Sequence[str], accept: bool) -> None:
    """Run a DVC command that writes dvc.lock; restore it on failure or an unaccepted change."""
    text, old = _text("dvc.lock"), _hashes()
    try:
        dvc(*words)
    except UserError:
        write_text(ROOT / "dvc.lock", text) if text else None
        raise
    for (stage, path), new in _hashes().items():
        was = old.get((stage, path), new)
        if was != new and not accept:
            write_text(ROOT / "dvc.lock", text)
            (ROOT / AT_WORK).write_text("")
            raise UserError(
                f"stage '{stage}' made other files in {path} than dvc.lock records",
                expected=f"hash {was}",
                received=f"hash {new}; the files are left there, dvc.lock is as it was",
                remedy="if they should differ (its script was changed, say): "
                f'make data args="{stage} accept=true"\n'
                "if not: the stage is not reproducible here; mend its script",
            )
        if was != new:
            note = f"{path} had hash {was}, has {new}: accepted; commit dvc.lock"
            print(f"data: {note}", file=sys.stderr)


def _other_files(record: str, path: str) -> UserError:
    files = _differing(path)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    recorded = tracked(ROOT, ROOT / path)[0].get(path)
    name = record if record.endswith(".dvc") else f"stage '{record}' of dvc.yaml"
    return UserError(
        f"{path} has other files than {name} records",
        expected=f"hash {recorded.md5}" if recorded else "no such path: nothing is recorded yet",
        received=f"{files[0] if files else path}{more}",
        remedy=f"to have the recorded files: rm -r {path} && make data\n"
        f'to record those that are there: make data args="{record} accept=true"',
    )
