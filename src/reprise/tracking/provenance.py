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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reprise.datasets.tracked import tracked
from reprise.project import PACKAGE

LIBRARIES = (
    "tensorflow", "jax", "keras", "numpy", "mlflow", "hydra-core", "dvc", "segmentation-models",
)  # fmt: skip
TIMEOUT_S = 60.0  # for git, on a slow disk
NOT_TRACKED = "not tracked"
# So that a patch can be applied, whatever the user's own settings of git are.
PLAIN = ("-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false", "diff", "--no-color")


def code(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The state of the project's git checkout; git is asked, and never changed.

    Args:
        root: The project's folder.

    Returns:
        Tags (commit, branch, dirty or not), and files by name: `code/changes.patch` where tracked
        files differ from the commit, `code/untracked.txt` where there are files git does not know.
        What git does not tell is `none: ` or `unknown: ` and the reason.
    """
    commit, why = _git(root, "rev-parse", "--verify", "HEAD^{commit}")
    if commit is None:
        return {"git.commit": f"none: {why}"}, {}
    branch, _ = _git(root, "symbolic-ref", "--short", "-q", "HEAD")
    patch, no_patch = _git(root, *PLAIN, "--no-ext-diff", "--no-textconv", "--binary", "HEAD")
    untracked, no_list = _git(root, "ls-files", "--others", "--exclude-standard")
    unknown = no_patch or no_list
    tags = {
        "git.commit": commit.strip(),
        "git.branch": branch.strip() if branch else "none: HEAD is detached",
        "git.dirty": f"unknown: {unknown}" if unknown else str(bool(patch or untracked)).lower(),
        "mlflow.source.git.commit": commit.strip(),
    }
    files = {"code/changes.patch": patch, "code/untracked.txt": untracked}
    return tags, {name: text for name, text in files.items() if text}


def _git(root: Path, *args: str) -> tuple[str | None, str]:
    """What a git command prints, bytes that are no UTF-8 as surrogates; or None, and the reason."""
    # without what a git hook, which a run may be started from, sets there
    hook = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}
    outside = {name: value for name, value in os.environ.items() if name not in hook}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *args],
            capture_output=True,
            timeout=TIMEOUT_S,
            env={**outside, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except FileNotFoundError:
        return None, "git is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        return None, said or f"git {args[0]} has ended with {done.returncode}"
    return done.stdout.decode(errors="surrogateescape"), ""


def machine() -> dict[str, str]:
    """Versions of the libraries, platform, user and command, for the run's tags."""
    return {
        **{f"version.{name}": _version(name) for name in LIBRARIES},
        "version.python": platform.python_version(),
        "platform": platform.platform(),
        "machine.cpu": _cpu(),
        "machine.threads": str(len(os.sched_getaffinity(0))),
        "engine.sha256": _engine(),
        "mlflow.user": _user(),
        "mlflow.source.name": "reprise train",
        "command": " ".join(sys.argv[1:]),
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none: not installed"


def packages() -> str:
    """Python and every installed package with its version, a line `name==version` each."""
    found = {(one.name or "").lower(): one.version for one in importlib.metadata.distributions()}
    lines = [f"{name}=={found[name]}" for name in sorted(found)]
    return "\n".join([f"python=={platform.python_version()}", *lines]) + "\n"


def _engine() -> str:
    """Hash of this package's own code."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _cpu() -> str:
    """Model of the processor; as far as the machine says it."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    return platform.processor() or platform.machine()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, as containers have
        return str(os.getuid())


@dataclass(frozen=True)
class DataVersion:
    """Identity of the data of a run.

    Args:
        digest: DVC's md5 where DVC tracks every source unchanged, else a hash of names and sizes.
        dvc: What DVC says: 'verified', 'changed on disk since dvc.lock', 'not tracked', or
            'not compared: ' and the reason.
    """

    digest: str
    dvc: str


def data_version(root: Path, sources: Sequence[Path], stamp: str = "") -> DataVersion:
    """Identify the files and folders that samples come from; raises nothing for what DVC lacks.

    Args:
        root: The project's folder.
        sources: Files and folders, as the dataset names them.
        stamp: Identity of samples that come from elsewhere, such as a database.
    """
    sources = [root / source for source in sources]
    if stamp:
        text = f"{stamp}\n{_listing_digest(sources)}"
        return DataVersion(_md5(text), NOT_TRACKED)
    owners: dict[str, str] = {}
    for source in sources:
        out, said = _owner(root, source)
        if not out:
            return DataVersion(_listing_digest(sources), said or NOT_TRACKED)
        owners[out] = said
    dvc = _compared(root, sorted(owners)) if owners else NOT_TRACKED
    if dvc != "verified":
        return DataVersion(_listing_digest(sources), dvc)
    digest = "+".join(owners[out] for out in sorted(owners))
    return DataVersion(digest if len(owners) == 1 else _md5(digest), dvc)


def _owner(root: Path, source: Path) -> tuple[str, str]:
    """The file or folder of DVC that holds `source`, and its md5; or '', and why there is none."""
    outs, why = tracked(root, source)
    own = [out for out in outs if source.resolve().is_relative_to((root / out).resolve())]
    return (own[0], outs[own[0]].md5) if own else ("", why)


def outs_of(root: Path, files: Sequence[Path]) -> list[str]:
    """The files and folders of DVC that hold these files."""
    outs = {out for file in files if (out := _owner(root, root / file)[0])}
    return sorted(outs)


def _compared(root: Path, outs: Sequence[str]) -> str:
    """What DVC says of outputs once it has compared them with what it has recorded."""
    command = [sys.executable, "-m", "dvc", "data", "status", "--json", "--unchanged", "--", *outs]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace")
    try:
        said = json.loads(done.stdout or "{}") if done.returncode == 0 else None
    except ValueError:
        said = None
    if said is None:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR")), ["", *lines][-1])
        return f"not compared: DVC fails: {reason[:200]}"
    known = [*said.get("unchanged", ())]
    for names in said.get("committed", {}).values():  # differs from git's HEAD, not from the disk
        known += [name["new"]["path"] if isinstance(name, dict) else name for name in names]
    if said.get("uncommitted"):
        return "changed on disk since dvc.lock"
    missing = {*outs} - {name.rstrip("/") for name in known}
    return f"not compared: DVC does not know {min(missing)}" if missing else "verified"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _listing_digest(sources: Sequence[Path]) -> str:
    """Hash over the names and sizes of all files: quick on any amount, blind to a changed byte."""
    digest = hashlib.md5()
    for source in sources:
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            name = file.relative_to(source).as_posix() if file != source else file.name
            try:
                size = file.stat().st_size if file.is_file() else None
            except OSError:  # it must not be read, or has just been deleted
                continue
            if size is not None:
                digest.update(os.fsencode(f"{name}\0{size}\n"))
    return digest.hexdigest()
