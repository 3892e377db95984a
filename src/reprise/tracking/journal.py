"""All that a run has to say, in its own folder before anywhere else: a file with a line an entry.

An entry is a JSON object with its `kind` and the time `at` in milliseconds. Lines are only ever
added, each flushed to the disk; a kill can tear the last one, and a torn one does not count.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

JOURNAL = "journal.jsonl"
OWN_ID = "{mlflow_id}"  # in a tag: MLflow's own id of the run, which only the delivery knows

Entry = dict[str, Any]


class Journal:
    """The journal of one run, to be added to; any thread may.

    Args:
        folder: The run's folder.
        failed: Told why the disk does not take what is added, once until it does again. Until then
            it is kept in memory.
    """

    def __init__(self, folder: Path, failed: Callable[[OSError], None]) -> None:
        self.path = folder / JOURNAL
        self._failed = failed
        self._lock = threading.Lock()
        self._waiting = b""
        self._is_failing = False
        self._size = _whole_lines(self.path)  # bytes that count
        if self.path.exists():
            os.truncate(self.path, self._size)

    def add(self, kind: str, *, flush: bool = True, **content: Any) -> None:
        """Add an entry, which no kill takes away; with `flush` no power cut does either.

        Where it cannot be written, `failed` is told.
        """
        entry = {"kind": kind, "at": time.time_ns() // 1_000_000, **content}
        with self._lock:
            self._waiting += json.dumps(entry).encode() + b"\n"
            try:
                self._write(flush)
                self._is_failing = False
            except OSError as error:
                if not self._is_failing:
                    self._failed(error)
                self._is_failing = True

    def _write(self, flush: bool) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.truncate(descriptor, self._size)  # what a full disk took of the last attempt
            os.lseek(descriptor, self._size, os.SEEK_SET)
            left = memoryview(self._waiting)
            while left:
                left = left[os.write(descriptor, left) :]
            if flush:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._size += len(self._waiting)
        self._waiting = b""


def read(folder: Path, start: int = 0) -> Iterator[tuple[Entry, int]]:
    """Read a run's journal from byte `start` on.

    Yields:
        An entry, and the byte behind it. What is no whole line of JSON is passed over.
    """
    path = folder / JOURNAL
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            start += len(line)
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if line.endswith(b"\n"):
                yield entry, start


def entries(folder: Path, kind: str) -> Iterator[Entry]:
    """The entries of one kind, in the order they were made."""
    return (entry for entry, _ in read(folder) if entry["kind"] == kind)


def metric_history(folder: Path) -> dict[str, dict[int, float]]:
    """Every metric of a run: `{name: {step: value}}`."""
    found: dict[str, dict[int, float]] = {}
    for entry in entries(folder, "metrics"):
        for name, value in entry["values"].items():
            found.setdefault(name, {})[entry["step"]] = value
    return found


def params_of(folder: Path) -> dict[str, str]:
    """The params of a run."""
    return _merged(folder, "params")


def tags_of(folder: Path) -> dict[str, str]:
    """The tags of a run, the latest value of each."""
    return _merged(folder, "tags")


def _merged(folder: Path, kind: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries(folder, kind):
        found |= entry["values"]
    return found


def _whole_lines(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    if not path.exists():
        return 0
    return path.read_bytes().rfind(b"\n") + 1
