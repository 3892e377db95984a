"""Files and folders replaced in one step, and locks between processes."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

UNUSED_S = 86400  # one that begins may be about to link a file


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Replace a file or a folder in one step: a reader, or a kill, finds the old one or the new.

    Only one process at a time may replace a path; `locked` makes several take turns.

    Args:
        path: What is replaced, or made where it is missing. Its parent folder exists.

    Yields:
        The temporary name `.partial-<name>` beside it, where nothing is yet. What stands there at
        the end is flushed to the disk and renamed; after an error it is deleted.
    """
    partial = path.with_name(f".partial-{path.name}")  # Keras looks at a name's ending
    _remove(partial)
    try:
        yield partial
        if partial.is_dir():
            for inner in partial.rglob("*"):
                _flush(inner)
        _flush(partial)
        if path.is_dir():
            shutil.rmtree(path)  # a folder cannot be renamed over another
        partial.replace(path)
    except BaseException as error:
        _remove(partial)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # of a full disk, the error names no file
        raise
    _flush(path.parent)


def link_or_copy(source: Path, target: Path) -> None:
    """Have `target` be the same file as `source`, or a copy on a disk without hard links."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy(source, target)


def discard_unused(folder: Path, pattern: str) -> None:
    """Delete the files of which no other folder has a hard link, a day after they were written."""
    for old in folder.glob(pattern):
        with suppress(OSError):  # of another user, or deleted meanwhile
            if old.stat().st_nlink == 1 and old.stat().st_mtime < time.time() - UNUSED_S:
                old.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file in one step, as `replacing` does; its folder is made if it is missing.

    Surrogates stand for bytes that are no UTF-8, such as a patch of files in another encoding has.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(text, "utf-8", "surrogateescape")


def lock(file: IO | int, *, wait: bool = True) -> bool:
    """Lock an open file exclusively, among all threads and processes, until it is closed.

    A process that inherits the open file holds the lock, too.

    Args:
        file: The file, or its descriptor.
        wait: Wait until it is free.

    Returns:
        Whether it is locked now; always true with `wait`.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of `path`, a folder or a file that is made if it is missing; waits for it."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags, 0o644)
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock of a file; False where there is no such file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
