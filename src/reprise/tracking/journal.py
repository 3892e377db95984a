"""The journal of a run: everything it records, in a file of its own folder before anywhere else.

An entry is a line with a JSON object: its `kind`, the time `at` in milliseconds, and its content.
Lines are only ever added. A kill can tear the last one, and a torn line does not count.

`delivered.json` beside it says up to which byte the journal was brought to the tracking store, and
`delivered_files.json` the same of the files that it names. Where a kill comes between a delivery
and that note, the same entries are delivered again, which changes nothing: MLflow stores a metric
of equal time, step and value once. What the store still has of it, only the store knows.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reprise.files import write_text

JOURNAL, DELIVERED, DELIVERED_FILES = "journal.jsonl", "delivered.json", "delivered_files.json"
VALUES = 100  # at most in an entry: MLflow takes as many params or tags in a call
SYSTEM = "system/"  # begins the names of what the machine did
OWN_ID = "{mlflow_id}"  # in a tag: MLflow's own id of the run, which only the delivery knows

Entry = dict[str, Any]


class Journal:
    """The journal of one run, open for appending; safe to use from any thread.

    Args:
        folder: The run's folder.
        failed: Called when the disk does not take an entry, once until it does again. Meanwhile
            entries are kept in memory, and written with the next one that succeeds.
    """

    def __init__(self, folder: Path, failed: Callable[[OSError], None]) -> None:
        self.path = folder / JOURNAL
        self._failed = failed
        self._lock = threading.Lock()
        self._waiting = b""
        self._is_failing = False
        self._size = 0  # bytes up to the end of the last whole line
        if self.path.exists():
            self._size = self.path.read_bytes().rfind(b"\n") + 1
            os.truncate(self.path, self._size)

    def add(self, kind: str, *, flush: bool = True, **content: Any) -> None:
        """Append an entry, which outlives a kill; with `flush` it outlives a power cut, too."""
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
            os.truncate(descriptor, self._size)  # a full disk may have taken a part of it before
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
        An entry, and the byte behind it. Lines that are no whole JSON object are skipped.
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
    """The entries of one kind, oldest first."""
    return (entry for entry, _ in read(folder) if entry["kind"] == kind)


def metric_history(folder: Path) -> dict[str, dict[int, float]]:
    """Every metric of a run but those of the machine: `{name: {step: value}}`."""
    found: dict[str, dict[int, float]] = {}
    for entry in entries(folder, "metrics"):
        for name, value in entry["values"].items():
            if not name.startswith(SYSTEM):
                found.setdefault(name, {})[entry["step"]] = value
    return found


def of_all_classes(names: Sequence[str]) -> list[str]:
    """`<split>/<metric>` names without the scores of single classes: `f1_cat` if there is `f1`."""
    bases = [name.partition("/")[2] for name in names]
    return [
        name
        for name, base in zip(names, bases, strict=True)
        if not any(base.startswith(f"{other}_") for other in bases)
    ]


def params_of(folder: Path) -> dict[str, str]:
    """The params of a run."""
    return dict(item for entry in entries(folder, "params") for item in entry["values"].items())


def tags_of(folder: Path) -> dict[str, str]:
    """The tags of a run, the latest value of each."""
    return dict(item for entry in entries(folder, "tags") for item in entry["values"].items())


@dataclass(frozen=True)
class Delivered:
    """How much of a run was brought to a tracking store.

    Args:
        uri: The store's address, passwords masked.
        mlflow_id: MLflow's own id of the run there.
        offset: Bytes of the journal that were delivered.
        waiting: Files recorded before `offset` that were not.
        run: Name of the folder when this was written; another one since it was copied or renamed.
    """

    uri: str
    mlflow_id: str
    offset: int
    waiting: Sequence[str] = ()
    run: str = ""


def delivered(folder: Path, note: str = DELIVERED) -> Delivered | None:
    """What was delivered of a run, or with DELIVERED_FILES of its files; None: not known."""
    try:
        return Delivered(**json.loads((folder / note).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_delivered(folder: Path, now: Delivered, note: str = DELIVERED) -> None:
    """Record how much of a run was delivered."""
    write_text(folder / note, json.dumps(asdict(now) | {"run": folder.name}))


def undelivered(folder: Path) -> int:
    """Bytes of a run's journal, and files, that were not delivered to the store it went to last."""
    known, journal = delivered(folder), folder / JOURNAL
    files = delivered(folder, DELIVERED_FILES) or known
    size = journal.stat().st_size if journal.exists() else 0
    if known is None or files is None or files.mlflow_id != known.mlflow_id:
        return size
    return size - min(known.offset, files.offset) + len(files.waiting)
