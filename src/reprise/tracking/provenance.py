"""Provenance of a run: its code, data, libraries and machine."""

import getpass
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

LIBRARIES = ("tensorflow", "keras", "numpy", "mlflow", "hydra-core", "dvc", "segmentation-models")


def code(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The state of the project's git checkout.

    Args:
        root: The project's folder.

    Returns:
        Tags (commit, branch, dirty or not), and files by name: `code/changes.patch` where tracked
        files differ from the commit, `code/untracked.txt` where there are files git does not know.
        Without git, one tag that says so.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"git.commit": "none: not a git checkout, or one without a commit"}, {}
    patch = _git(root, "diff", "HEAD", "--binary") or ""
    untracked = _git(root, "ls-files", "--others", "--exclude-standard") or ""
    tags = {
        "git.commit": commit.strip(),
        "git.branch": (_git(root, "rev-parse", "--abbrev-ref", "HEAD") or "").strip(),
        "git.dirty": str(bool(patch or untracked)).lower(),
        "mlflow.source.git.commit": commit.strip(),
    }
    files = {"code/changes.patch": patch, "code/untracked.txt": untracked}
    return tags, {name: text for name, text in files.items() if text}


def machine() -> dict[str, str]:
    """Versions of the libraries, platform, user and command, for the run's tags."""
    versions = {f"version.{name}": importlib.metadata.version(name) for name in LIBRARIES}
    return {
        **versions,
        "version.python": platform.python_version(),
        "platform": platform.platform(),
        "mlflow.user": _user(),
        "mlflow.source.name": "reprise train",
        "command": " ".join(sys.argv[1:]),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return str(os.getuid())


@dataclass(frozen=True)
class DataVersion:
    """Identity of the data of a run.

    Args:
        digest: DVC's md5 where DVC tracks every source unchanged, else a hash of names and sizes.
        dvc: What DVC says: 'verified', 'changed on disk since dvc.lock', or 'not tracked'.
    """

    digest: str
    dvc: str


def data_version(root: Path, sources: Sequence[Path], stamp: str = "") -> DataVersion:
    """Identify the files and folders that samples come from.

    Args:
        root: The project's folder.
        sources: Files and folders, as the dataset names them.
        stamp: Identity of samples that come from elsewhere, such as a database.
    """
    if stamp:
        text = f"{stamp}\n{_listing_digest(sources)}"
        return DataVersion(hashlib.md5(text.encode()).hexdigest(), "not tracked")
    recorded = _recorded(root)
    owners = [_owner(root, source, recorded) for source in sources]
    if not owners or None in owners:
        return DataVersion(_listing_digest(sources), "not tracked")
    outs = sorted({owner for owner in owners if owner})
    if _changed(root, outs):
        return DataVersion(_listing_digest(sources), "changed on disk since dvc.lock")
    digest = "+".join(recorded[out] for out in outs)
    if len(outs) > 1:
        digest = hashlib.md5(digest.encode()).hexdigest()
    return DataVersion(digest, "verified")


def tracked_folders(root: Path) -> list[Path]:
    """The files and folders that DVC tracks in a project."""
    return [(root / out).resolve() for out in _recorded(root)]


def _git(root: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *args], capture_output=True, text=True, errors="replace"
        )
    except FileNotFoundError:  # git is not installed
        return None
    return done.stdout if done.returncode == 0 else None


def _recorded(root: Path) -> dict[str, str]:
    """DVC's md5 of every output in dvc.lock and in the .dvc files under data/, by its path."""
    found: dict[str, str] = {}
    lock = root / "dvc.lock"
    stages = yaml.safe_load(lock.read_text()).get("stages", {}) if lock.exists() else {}
    for stage in (stages or {}).values():
        found |= {out["path"]: out["md5"] for out in stage.get("outs", []) if "md5" in out}
    for pointer in sorted((root / "data").rglob("*.dvc")):
        for out in yaml.safe_load(pointer.read_text()).get("outs", []):
            path = (pointer.parent / out["path"]).relative_to(root)
            found |= {path.as_posix(): out["md5"]} if "md5" in out else {}
    return found


def _owner(root: Path, source: Path, recorded: dict[str, str]) -> str | None:
    """The tracked output that holds `source`."""
    full = (root / source).resolve()
    return next((out for out in recorded if full.is_relative_to((root / out).resolve())), None)


def _changed(root: Path, outs: Sequence[str]) -> bool:
    """Whether DVC finds any of these outputs different from what it has recorded."""
    command = [sys.executable, "-m", "dvc", "data", "status", "--json", *outs]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode != 0:
        return True
    return bool(json.loads(done.stdout or "{}").get("uncommitted"))


def _listing_digest(sources: Sequence[Path]) -> str:
    """Hash over the names and sizes of all files: quick on any amount, blind to a changed byte."""
    digest = hashlib.md5()
    for source in sources:
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.is_file():
                name = file.relative_to(source).as_posix() if file != source else file.name
                digest.update(f"{name}\0{file.stat().st_size}\n".encode())
    return digest.hexdigest()
