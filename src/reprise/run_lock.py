"""One process at a time trains a run; whoever looks can tell whether one does."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reprise.errors import UserError

LOCK = "lock"  # file in the run's folder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run's folder, so that no other process trains the same run; free however this ends.

    Raises:
        UserError: another process holds it.
    """
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UserError(
                f"run {folder.name} is being trained right now",
                expected="a run that no process is at work on",
                received=f"process {lock.read().strip() or 'unknown'} has it",
                remedy="wait for it, or end that process",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def is_held(folder: Path) -> bool:
    """Whether a process is at work on a run."""
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
