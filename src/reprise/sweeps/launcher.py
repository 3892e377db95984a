"""Where the jobs of a sweep run: what every launcher does, and processes on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from annotated_types import Ge

from reprise.errors import UserError
from reprise.project import ROOT

POLL_S = 2.0  # between two questions to a scheduler, for all jobs of the sweep together


class NotNow(Exception):
    """A scheduler does not answer, or takes no further job for now; the message says why."""


@dataclass(frozen=True)
class End:
    """How a task has ended.

    Args:
        code: Exit code, negative for a signal; None if it is not known, or not the job's own.
        why: What ended it from outside: `over its time limit`, `lost with its node n2`; else ''.
        has_begun: Whether it left the queue.
    """

    code: int | None
    why: str = ""
    has_begun: bool = True


class Task(ABC):
    """A job's process, wherever it runs.

    Attributes:
        where: What is known of it, for the terminal: `running on n2`, `queued`.
        is_queued: Whether it has not begun yet, or is to begin again.
    """

    where: str = ""
    is_queued: bool = False

    @abstractmethod
    def poll(self) -> End | None:
        """How it has ended; None while it is queued or runs, or the scheduler does not answer."""

    @abstractmethod
    def stop(self) -> None:
        """Ask it to save its state and end, with exit code 75."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once, with everything that it has started."""


@dataclass(frozen=True, kw_only=True)
class Launcher(ABC):
    """Starts the jobs of a sweep.

    Args:
        n_jobs: Jobs at once.
        command: Words in front of each job's own command line, such as
            `[apptainer, exec, image.sif]`. The command waits for the job, and passes on its signals
            and its exit code.
    """

    n_jobs: int = 1
    command: list[str] = field(default_factory=list)

    def places(self) -> int:
        """Number of jobs at once."""
        return self.n_jobs

    @abstractmethod
    def check(self, timeout_s: float | None) -> None:
        """Refuse settings with which no job can be started.

        Args:
            timeout_s: The sweep's longest duration of an attempt.

        Raises:
            UserError: the message names the key.
        """

    @abstractmethod
    def start(self, command: Sequence[str], name: str, log: BinaryIO, place: int) -> Task:
        """Start a job.

        Args:
            command: Its command line.
            name: Of this attempt at it; no other has it.
            log: Its open log, which its output is appended to.
            place: Which of the `places` it takes, from 0.

        Raises:
            NotNow: it could not be started, and can be later.
        """

    def find(self, name: str) -> Task | None:
        """An attempt that another process has started; None if it never was, or is forgotten.

        Raises:
            NotNow: the scheduler does not answer.
            UserError: this launcher has no scheduler.
        """
        raise UserError(
            f"job {name} was handed to a scheduler, where it may still run",
            "the launcher that the sweep began with",
            f"launcher={type(self).__name__.lower()}",
            "go on with that launcher",
        )


@dataclass(frozen=True, kw_only=True)
class Scheduler(Launcher):
    """A launcher whose jobs are found again by name, for as long as a scheduler remembers them."""

    n_jobs: Annotated[int, Ge(1)] = 100
    _jobs: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _asked: list[float] = field(default_factory=list, init=False, repr=False, compare=False)

    def jobs(self, *, now: bool = False) -> Mapping[str, Any]:
        """What the scheduler says of the user's jobs, by name; it is asked every `POLL_S`.

        Args:
            now: Ask it now.

        Raises:
            NotNow: it does not answer.
        """
        if now or not self._asked or time.monotonic() - self._asked[0] > POLL_S:
            self._asked[:] = [time.monotonic()]
            listed = self.listed()
            self._jobs.clear()
            self._jobs.update(listed)
        return self._jobs

    @abstractmethod
    def listed(self) -> Mapping[str, Any]:
        """Ask the scheduler."""


@dataclass(frozen=True, kw_only=True)
class Local(Launcher):
    """Processes on this machine, which take turns with its GPUs.

    Args:
        n_jobs: Jobs at once; -1 means one for each core, as joblib counts cores.
        command: As in `Launcher`.
    """

    n_jobs: Annotated[int, Ge(1)] | Literal[-1] = 1

    def places(self) -> int:
        from joblib import effective_n_jobs

        return int(effective_n_jobs(self.n_jobs))

    def check(self, timeout_s: float | None) -> None:
        program = Path(self.command[0]).name if self.command else ""
        if program == "srun":
            raise UserError(
                "launcher.command begins with srun, which turns SIGTERM into SIGKILL",
                "a command that passes signals on: a job that is stopped saves its state",
                f"launcher.command={self.command}",
                "have SLURM run the jobs: launcher=slurm",
            )
        if program and shutil.which(self.command[0]) is None:
            raise UserError(
                f"launcher.command: there is no program '{self.command[0]}'",
                "words that begin with a program",
                " ".join(self.command),
                "install it, or mend or drop launcher.command",
            )

    def start(self, command: Sequence[str], name: str, log: BinaryIO, place: int) -> Process:
        process = subprocess.Popen(
            [*self.command, *command],
            cwd=ROOT,
            env=self.environment(place),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        return Process(process)

    def environment(self, place: int) -> dict[str, str]:
        """The environment of a job: several jobs at once take turns with the GPUs.

        Args:
            place: Which of the `places` the job takes, from 0.
        """
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        devices = Path("/dev").glob("nvidia[0-9]*")
        gpus = seen.split(",") if seen is not None else sorted(d.name[6:] for d in devices)
        shared = self.n_jobs != 1 and len(gpus) > 1
        chosen = {"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if shared else {}
        return {**os.environ, **chosen}


class Process(Task):
    """A process on this machine, the leader of a process group that outlives the sweep's.

    It has inherited its log, and so the lock on it: no other attempt begins before it has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.group = process.pid
        self._process = process

    def poll(self) -> End | None:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, self.group, options) is None:
            return None
        self.kill()  # what it has left running; before it is reaped, which frees the number
        return End(self._process.wait())

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        kill_group(self.group)


def kill_group(group: int) -> None:
    """Kill every process of a group, if there is one."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
