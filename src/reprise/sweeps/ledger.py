"""What has become of a sweep's jobs: a file that is only ever added to, in the sweep's folder.

Several processes may work on one sweep. What keeps a job from being run twice is no entry but a
lock on its log: the job's own processes hold it, however the sweep's process has ended.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from reprise.runs.job import Job, read_job

LEDGER, JOBS = "ledger.jsonl", "jobs"

State = Literal["waiting", "begun", "done", "pruned", "failed", "stopped"]
OVER: frozenset[State] = frozenset({"done", "pruned", "failed"})


@dataclass(frozen=True)
class Standing:
    """Where a job stands.

    Args:
        state: `begun` where its end was never written down: it runs, or was killed.
        failures: How many of its attempts have failed.
        why: What there is to say of the last end: the reason of a failure, or what was reached.
        seconds: What its attempts have taken together, as far as they have ended.
        group: Process group of the attempt that has begun, on which host, since when.
    """

    state: State = "waiting"
    failures: int = 0
    why: str = ""
    seconds: float = 0.0
    group: tuple[int, str, float] | None = None


class Ledger:
    """The jobs of a sweep and their standing.

    Args:
        folder: The sweep's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._jobs: dict[Path, Job] = {}
        self._read, self._standing = 0, dict[int, Standing]()

    def jobs(self) -> list[Job]:
        """Every job there is so far, by number."""
        for path in (self.folder / JOBS).glob("*.json"):
            if path not in self._jobs:  # a job's file never changes
                self._jobs[path] = read_job(path)
        return sorted(self._jobs.values(), key=lambda job: job.number)

    def file(self, number: int, ending: str) -> Path:
        """A job's `json` or `log`."""
        return self.folder / JOBS / f"{number:03d}.{ending}"

    def standing(self, number: int) -> Standing:
        """Where a job stands by now, whoever has written it."""
        path = self.folder / LEDGER
        if path.exists() and path.stat().st_size > self._read:
            with path.open("rb") as file:
                file.seek(self._read)
                for line in file:
                    if line.endswith(b"\n"):  # else it is being written, or torn by a kill
                        self._read += len(line)
                        self._take(line)
        return self._standing.get(number, Standing())

    def begun(self, job: Job, group: int) -> None:
        """Write down that an attempt has begun as a process group."""
        self._add(job, "begun", group=group, host=socket.gethostname())

    def ended(self, job: Job, state: State, why: str = "", seconds: float = 0.0) -> None:
        """Write down how an attempt has ended."""
        self._add(job, state, why=why, seconds=round(seconds, 1))

    def retry(self, job: Job) -> None:
        """Write down that a failed job is to be tried again, its failures forgotten."""
        self._add(job, "waiting")

    def _add(self, job: Job, state: State, **facts: Any) -> None:
        entry = {"job": job.number, "state": state, "run": job.run, "at": time.time(), **facts}
        path = self.folder / LEDGER
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            torn = b"\n" if file.read(1) not in (b"", b"\n") else b""
            file.write(torn + json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:  # torn by a kill
            return
        number, state = entry["job"], entry["state"]
        before = self._standing.get(number, Standing())
        group = (entry["group"], entry["host"], entry["at"]) if state == "begun" else None
        failures = 0 if state == "waiting" else before.failures + (state == "failed")
        seconds = before.seconds + entry.get("seconds", 0.0)
        self._standing[number] = Standing(state, failures, entry.get("why", ""), seconds, group)

    def claim(self, number: int) -> BinaryIO | None:
        """The log of a job, locked for whoever has it open; None where a process has it already."""
        log = self.file(number, "log").open("ab")
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.close()
            return None
        return log


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes, having waited for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
