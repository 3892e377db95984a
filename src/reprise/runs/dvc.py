"""Run DVC, one command at a time, and read what it says of the stages in dvc.yaml."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reprise.errors import UserError
from reprise.files import lock, write_text

REAPING_S = 20  # how long DVC may take a killed DVC, not yet reaped, for one at work
Hashes = dict[tuple[str, str], str]  # (stage, path): hash of what the stage puts there


@dataclass(frozen=True)
class Change:
    """What of one stage is not as dvc.lock has it.

    Args:
        foreign: Its outputs that are there, but with other files than the recorded ones.
        complete: Whether every output is there, made by the script and command of today.
    """

    foreign: tuple[str, ...]
    complete: bool


class Dvc:
    """The DVC repository in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._alone: tuple[int, ...] = ()

    def stages(self) -> dict[str, Any]:
        """The stages of dvc.yaml by name, as they stand there."""
        path = self.root / "dvc.yaml"
        return (yaml.safe_load(path.read_text()) or {}).get("stages", {}) if path.exists() else {}

    def lock_text(self) -> str:
        """What stands in dvc.lock."""
        path = self.root / "dvc.lock"
        return path.read_text() if path.exists() else ""

    def write(self, name: str, text: str) -> None:
        """Write a file of the repository, whole or not at all."""
        write_text(self.root / name, text)

    def hashes(self) -> Hashes:
        """The outputs that dvc.lock records."""
        stages = (yaml.safe_load(self.lock_text()) or {}).get("stages", {})
        return {
            (name, out["path"]): out["md5"]
            for name, stage in stages.items()
            for out in stage.get("outs", [])
        }

    def changes(self, stages: list[str]) -> dict[str, Change]:
        """What is not as recorded in these stages and in those they build on; empty for nothing."""
        status = json.loads(self.run("status", "--json", "--with-deps", *stages))
        recorded = {stage for stage, _ in self.hashes()}
        changes = {}
        for stage, entries in status.items():
            outs: dict[str, str] = {}
            for entry in entries:
                outs |= entry.get("changed outs", {}) if isinstance(entry, dict) else {}
            there = [path for path in outs if (self.root / path).exists()]
            # where the cache lacks a file, DVC says only that
            foreign = tuple(p for p in there if outs[p] == "modified" or self.differing_files(p))
            stale = stage in recorded and any("changed outs" not in entry for entry in entries)
            changes[stage] = Change(foreign, len(there) == len(outs) and not stale)
        return changes

    def differing_files(self, path: str) -> list[str]:
        """Files at or under an output that were modified, added or deleted, and which of these."""
        status = json.loads(self.run("data", "status", "--json", "--granular"))
        return [
            f"{name} {kind}"
            for kind, names in status.get("uncommitted", {}).items()
            for name in names
            if name == path or (name.startswith(f"{path}/") and not name.endswith("/"))
        ]

    def pull(self) -> list[str]:
        """The word that lets `dvc repro` fetch; without a remote it would fail for some changes."""
        return ["--pull"] if self.run("config", "core.remote").strip() else []

    def discard(self, change: Change) -> None:
        """Delete the files of a stage that are about to be made anew."""
        for path in change.foreign:
            place = self.root / path
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process is at this; DVC gives up when it meets another DVC."""
        path = self.root / ".dvc/tmp/reprise.alone"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            if not lock(file, wait=False):
                print("data: another process is at it; waiting", file=sys.stderr, flush=True)
                lock(file)
            self._alone = (file.fileno(),)
            yield

    def run(self, *words: str) -> str:
        """Run one DVC command; returns what it printed.

        Raises:
            UserError: it failed; the message has the last lines of what it said.
        """
        python = Path(sys.executable)
        # what a stage calls `python` is this one
        path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        for _ in range(REAPING_S):
            done = subprocess.run(
                [python, "-m", "dvc", *words],
                cwd=self.root,
                env={**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                pass_fds=self._alone,  # if this process is killed, the lock is held until DVC ends
            )
            if done.returncode == 0:
                return done.stdout
            if "is busy" not in done.stderr:
                break
            time.sleep(1)
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise UserError(
            f"dvc {' '.join(words)} failed",
            expected="exit code 0",
            received="\n".join(said[-12:]),
            remedy="mend what it complains of, then: make data",
        )
