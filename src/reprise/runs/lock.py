"""One process at a time trains a run; whoever looks can tell whether one does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reprise.errors import UserError
from reprise.files import is_locked, lock

LOCK = "lock"  # file in the run's folder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run's folder, so that no other process trains the same run; free however this ends.

    Raises:
        UserError: another process holds it.
    """
    path = folder / LOCK
    with path.open("a+") as file:
        if not lock(file, wait=False):
            raise UserError(
                f"run {folder.name} is being trained right now",
                expected="a run that no process is at work on",
                received=f"process {path.read_text().strip() or 'unknown'} has it",
                remedy="wait for it, or end that process",
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_held(folder: Path) -> bool:
    """Whether a process is at work on a run."""
    return is_locked(folder / LOCK)
