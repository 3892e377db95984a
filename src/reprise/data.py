"""Put the sample data in place: `python -m reprise.data [STAGE …] [accept=true]`.

DVC makes and keeps the files; what stands here decides what may go into dvc.lock: a hash that
differs from the recorded one is said, and recorded only when the user accepts it.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import yaml

from reprise import command
from reprise.errors import UserError

ROOT = Path(__file__).parents[2]
# dvc.lock as it was before a stage was run; it is there only while one runs, or was cut short
BACKUP = ".dvc/tmp/reprise.dvc.lock"
ON_DISK = "other files on disk"


def main(argv: list[str]) -> None:
    """Make the named stages' data available, or all there are."""
    names = [word for word in argv if "=" not in word] or list(_stages())
    keys = command.options([word for word in argv if "=" in word], accept="false")
    if keys["accept"] not in ("true", "false"):
        raise UserError("accept", "accept=true or accept=false", keys["accept"], "choose one")
    make_available(names, accept=keys["accept"] == "true")
    for stage, outs in _recorded((ROOT / "dvc.lock").read_text()).items():
        for path, digest in outs.items():
            if stage in names:
                print(f"{path} is in place, {digest[:12]} as dvc.lock has it")


def stage_for(path: Path) -> str | None:
    """Name of the stage of dvc.yaml that makes this file or folder, or what is around it."""
    for stage, node in _stages().items():
        for out in node.get("outs", []):
            made = ROOT / (out if isinstance(out, str) else next(iter(out)))
            if Path(os.path.abspath(ROOT / path)).is_relative_to(made):
                return stage
    return None


def missing_stages(paths: Iterable[Path]) -> list[str]:
    """Stages to be run before these paths can be used: they are missing, or were cut short."""
    cut_short = (ROOT / BACKUP).exists()
    stages = {stage_for(path) for path in paths if cut_short or not (ROOT / path).exists()}
    return sorted(stage for stage in stages if stage)


def make_available(stages: list[str], accept: bool = False) -> None:
    """Fetch or make what these stages of dvc.yaml put under data/; quick when nothing changed.

    Args:
        stages: Names of stages.
        accept: Record hashes in dvc.lock that differ from those that stand there.

    Raises:
        UserError: no such stage; a stage fails; or there are other files than dvc.lock says, be it
            that they were changed by hand or that the stage made others. dvc.lock then is as before.
    """
    for stage in stages:
        if stage not in _stages():
            known = ", ".join(_stages()) or "none"
            raise UserError("no such stage", f"a stage of dvc.yaml: {known}", stage, "name one")
    with _Dvc.alone() as dvc:
        cut_short = dvc.restore_lock()
        for stage, change in dvc.changes(stages).items():
            if not cut_short:
                change.refuse_or_accept()
