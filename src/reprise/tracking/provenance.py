"""What made a run: the code as it stood, the libraries, the machine."""

import getpass
import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path

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
    """Versions of what computes, the platform, the user and the command, for the run's tags."""
    versions = {f"version.{name}": importlib.metadata.version(name) for name in LIBRARIES}
    return {
        **versions,
        "version.python": platform.python_version(),
        "platform": platform.platform(),
        "mlflow.user": getpass.getuser(),
        "mlflow.source.name": "python -m reprise.train",
        "command": " ".join(sys.argv[1:]),
    }


def _git(root: Path, *args: str) -> str | None:
    done = subprocess.run(
        ["git", "-C", str(root), *args], capture_output=True, text=True, errors="replace"
    )
    return done.stdout if done.returncode == 0 else None
