"""SLURM runs the jobs of a sweep: each is a batch job, which outlives the sweep's own process."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, BinaryIO

from annotated_types import Ge

from reprise.errors import UserError
from reprise.project import ROOT
from reprise.sweeps.launcher import End, NotNow, Scheduler, Task

ANSWER_S = 60  # longest time that it may take to answer
_FORMAT = "Name:60,JobID:20,State:20,exit_code:20,RestartCnt:10,NodeList:60"  # the last can be ''
# States of a job that is over; what is not here is queued or runs.
_OVER = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "TIMEOUT",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the controller says of a job; `code` is the status that `wait` gives."""

    number: str
    state: str
    code: str
    restarts: str
    nodes: str

    @property
    def runs(self) -> bool:
        """Whether it has begun."""
        return self.state in ("RUNNING", "COMPLETING")


@dataclass(frozen=True, kw_only=True)
class Slurm(Scheduler):
    """Batch jobs of SLURM. Project, environment, data and runs/ are at the same paths on its nodes.

    Args:
        n_jobs: Jobs that are queued or run at once.
        command: As in `Launcher`.
        partition, account, constraint: As sbatch takes them; None for the cluster's default.
        time: Longest time of an attempt, as sbatch takes it: minutes, or days-hours:minutes. What
            is not finished by then is continued by a further attempt.
        gpus: GPUs of a job.
        cpus: Cores of a job.
        memory: Memory of a job, such as `16G`.
        warning_s: How long before the time limit a job is asked to save its state and end, in
            seconds. SLURM may ask up to a minute earlier.
        options: Further words for sbatch, such as `[--exclude=n3]`.
    """

    partition: str | None = None
    account: str | None = None
    constraint: str | None = None
    time: str | int | None = None
    gpus: Annotated[int, Ge(0)] | None = None
    cpus: Annotated[int, Ge(1)] | None = None
    memory: str | None = None
    warning_s: Annotated[int, Ge(1)] = 60
    options: list[str] = field(default_factory=list)

    def check(self, timeout_s: float | None) -> None:
        """Ask SLURM whether it would take a job with these settings."""
        if timeout_s is not None:
            raise UserError(
                "sweep.timeout_s does not count the time that a job is queued",
                "launcher.time, which SLURM itself keeps",
                f"sweep.timeout_s={timeout_s:g}",
                f"launcher.time={max(1, round(timeout_s / 60))} (minutes)",
            )
        if shutil.which("sbatch") is None:
            raise UserError(
                "there is no sbatch on this machine",
                "a machine from which jobs are handed to SLURM",
                "launcher=slurm",
                "begin the sweep on the cluster's login node, or leave launcher=slurm out",
            )
        words = [*self._words("reprise-test", os.devnull), "--test-only"]
        done = _call(words, "#!/bin/sh\nexit 0\n")
        if done.returncode:
            raise UserError(
                "SLURM takes no job with these settings",
                "settings of conf/launcher/slurm.yaml that the cluster has",
                done.stderr.strip().replace("sbatch: error: ", ""),
                "see `sinfo`, `sacctmgr show assoc user=$USER`, and correct launcher.…",
            )

    def _words(self, name: str, log: str) -> list[str]:
        own = {
            "partition": self.partition,
            "account": self.account,
            "constraint": self.constraint,
            "time": self.time,
            "gpus": self.gpus,
            "cpus-per-task": self.cpus,
            "mem": self.memory,
        }
        return [
            "sbatch", "--parsable", f"--job-name={name}", f"--output={log}", "--open-mode=append",
            f"--chdir={ROOT}", "--export=ALL", "--requeue", f"--signal=B:TERM@{self.warning_s}",
            *(f"--{key}={value}" for key, value in own.items() if value is not None),
            *self.options,
        ]  # fmt: skip

    def start(self, command: Sequence[str], name: str, log: BinaryIO, place: int) -> Batch:
        line = shlex.join([*self.command, *command])
        done = _call(self._words(name, log.name), f"#!/bin/sh\nexec {line}\n")
        if done.returncode:
            raise NotNow(done.stderr.strip())
        self.jobs(now=True)
        return Batch(self, name)

    def find(self, name: str) -> Batch | None:
        return Batch(self, name) if name in self.jobs() else None

    def listed(self) -> dict[str, Seen]:
        done = _call(["squeue", "--me", "--noheader", "--states=all", f"--Format={_FORMAT}"])
        if done.returncode:
            raise NotNow(done.stderr.strip())
        rows = (line.split() for line in done.stdout.splitlines())
        return {row[0]: Seen(row[1], row[2], row[3], row[4], " ".join(row[5:])) for row in rows}


class Batch(Task):
    """A batch job of SLURM, found by its name."""

    is_queued = True

    def __init__(self, slurm: Slurm, name: str) -> None:
        self._slurm, self._name = slurm, name

    def poll(self) -> End | None:
        try:
            seen = self._slurm.jobs().get(self._name)
        except NotNow:
            return None
        if seen is None:
            return End(None)
        if seen.state not in _OVER:
            self.where, self.is_queued = _where(seen), not seen.runs
            return None
        match seen.state:
            case "COMPLETED" | "FAILED":
                return End(os.waitstatus_to_exitcode(int(seen.code)))
            case "OUT_OF_MEMORY":
                return End(-signal.SIGKILL)
            case "CANCELLED":
                return End(None, "cancelled")
            case "PREEMPTED":
                return End(None, "preempted")
            case "NODE_FAIL" | "BOOT_FAIL":
                return End(None, f"lost with its node {seen.nodes}")
        return End(None, "over its time limit")

    def stop(self) -> None:
        """Send SIGTERM to a job that runs; one that is queued is taken out of the queue."""
        warn = [] if self.is_queued else ["--batch", "--signal=TERM"]
        _call(["scancel", *warn, f"--name={self._name}"])

    def kill(self) -> None:
        _call(["scancel", f"--name={self._name}"])


def _where(seen: Seen) -> str:
    if seen.runs:
        return f"running on {seen.nodes} (SLURM job {seen.number})"
    what = "queued" if seen.restarts in ("", "0") else "queued again"
    state = "" if seen.state == "PENDING" else f", {seen.state.lower()}"
    return f"{what} (SLURM job {seen.number}{state})"


def _call(words: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Call a program of SLURM; one that does not answer has failed.

    A sweep can itself be a job: what SLURM has told that job of itself is not handed on.
    """
    own = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_") or k == "SLURM_CONF"}
    try:
        return subprocess.run(
            words, input=text, env=own, capture_output=True, text=True, timeout=ANSWER_S
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(words), 1, "", f"no answer within {ANSWER_S} s")
