"""The jobs of a sweep and their states, as files in the sweep's folder.

Several processes may work on one sweep. `ledger.jsonl` is only appended to, and tells what became
of each job. What prevents that a job runs twice at a time is the lock on its log: the job's own
processes hold it, even after the sweep's process was killed.
"""

import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from reprise.files import is_locked, lock
from reprise.runs.folder import RESULT
from reprise.runs.job import Job, read_job
from reprise.tracking.folders import folder_named, home

LEDGER, JOBS = "ledger.jsonl", "jobs"

State = Literal["waiting", "begun", "done", "pruned", "failed", "stopped"]
OVER: frozenset[State] = frozenset({"done", "pruned", "failed"})


@dataclass(frozen=True)
class Standing:
    """The state of a job, with what led to it.

    Args:
        state: `begun` if the end of its last attempt is not recorded: it runs, or was killed.
        failures: Number of its attempts that have failed.
        why: Note on the last end: the reason of a failure, or the metric that was reached.
        seconds: Duration of its ended attempts together.
        group: Process group of the attempt that has begun, its host, and its start in seconds
            since the epoch; None where a scheduler has it.
        task: Name of the attempt that has begun, by which its scheduler knows it; else ''.
        attempts: Number of attempts that have begun.
    """

    state: State = "waiting"
    failures: int = 0
    why: str = ""
    seconds: float = 0.0
    group: tuple[int, str, float] | None = None
    task: str = ""
    attempts: int = 0


class Ledger:
    """The jobs of a sweep and their states.

    Args:
        folder: The sweep's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._jobs: dict[Path, Job] = {}
        self._standings: dict[int, Standing] = {}
        self._size = 0  # bytes of the ledger that are read

    def jobs(self) -> list[Job]:
        """Return every job there is so far, by number."""
        for path in (self.folder / JOBS).glob("[0-9]*.json"):  # others are being written
            if path not in self._jobs:  # a job's file never changes
                self._jobs[path] = read_job(path)
        return sorted(self._jobs.values(), key=lambda job: job.number)

    def file(self, number: int, ending: str) -> Path:
        """Return the path of a job's `json` or `log`."""
        return self.folder / JOBS / f"{number:03d}.{ending}"

    def run_folder(self, job: Job) -> Path | None:
        """Return the folder of a job's run, or None before there is one."""
        beside = self.folder.with_name(job.run)  # but for a sweep over experiments
        return beside if beside.exists() else folder_named(job.run, home(self.folder))

    def same_as(self, job: Job) -> Job | None:
        """Return the earlier job of the same values, whose outcome this one takes over.

        None for a job that is trained itself: it is the first, those before it have failed, or it
        has begun.
        """
        if self.run_folder(job) is not None:
            return None
        values = sorted(job.overrides)
        for earlier in self.jobs():
            if earlier.number >= job.number:
                break
            is_same = sorted(earlier.overrides) == values
            if is_same and self.standing(earlier.number).state != "failed":
                return earlier
        return None

    def result(self, job: Job) -> dict[str, float]:
        """Return the metrics of a job's best model, empty before its run is finished."""
        folder = self.run_folder(self.same_as(job) or job)
        if folder is None or not (folder / RESULT).exists():
            return {}
        return json.loads((folder / RESULT).read_text())

    def standing(self, number: int) -> Standing:
        """Return the present state of a job, whichever process has recorded it."""
        path = self.folder / LEDGER
        if path.exists() and path.stat().st_size > self._size:
            with path.open("rb") as file:
                file.seek(self._size)
                for line in file:
                    if line.endswith(b"\n"):  # otherwise it is being written, or torn by a kill
                        self._size += len(line)
                        self._take(line)
        return self._standings.get(number, Standing())

    def begun(self, job: Job, group: int) -> None:
        """Record that an attempt has begun as a process group."""
        self._add(job, "begun", group=group, host=socket.gethostname())

    def handed_on(self, job: Job, task: str) -> None:
        """Record that an attempt is about to be handed to a scheduler by this name."""
        self._add(job, "begun", task=task)

    def ended(self, job: Job, state: State, why: str = "", seconds: float = 0.0) -> None:
        """Record how an attempt has ended."""
        self._add(job, state, why=why, seconds=round(seconds, 1))

    def retry(self, job: Job) -> None:
        """Record that a failed job is to be tried again, and its failures do not count."""
        self._add(job, "waiting")

    def claim(self, number: int) -> BinaryIO | None:
        """Open and lock the log of a job, for all who inherit it; None if a process has it."""
        log = self.file(number, "log").open("ab")
        if lock(log, wait=False):
            return log
        log.close()
        return None

    def is_claimed(self, number: int) -> bool:
        """Return whether any process has the log of a job locked."""
        return is_locked(self.file(number, "log"))

    def _add(self, job: Job, state: State, **facts: Any) -> None:
        entry = {"job": job.number, "state": state, "run": job.run, "at": time.time(), **facts}
        with (self.folder / LEDGER).open("a+b") as file:
            lock(file)
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            is_torn = file.read(1) not in (b"", b"\n")
            file.write(b"\n" * is_torn + json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:  # torn by a kill
            return
        number, state = entry["job"], entry["state"]
        before = self._standings.get(number, Standing())
        group = (entry["group"], entry["host"], entry["at"]) if "group" in entry else None
        failures = 0 if state == "waiting" else before.failures + (state == "failed")
        seconds = before.seconds + entry.get("seconds", 0.0)
        why, task, attempts = entry.get("why", ""), entry.get("task", ""), before.attempts
        attempts += state == "begun"
        self._standings[number] = Standing(state, failures, why, seconds, group, task, attempts)
