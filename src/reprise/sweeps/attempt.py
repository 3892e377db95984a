"""One attempt at a job: its process, and how long it may take."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from reprise.project import ROOT
from reprise.runs.job import Job
from reprise.sweeps.settings import Launcher

GRACE_S = 45.0  # a run that is asked to stop gives its step 30 s, and writes its state then


class Attempt:
    """A job's process, in a group of its own, which outlives the sweep's.

    Args:
        job: The job.
        file: Its file.
        words: Its whole command line.
        log: Where it writes; locked, and so for as long as any of its processes lives.
        place: Which of the launcher's places it has.
        launcher: How it is started.
        timeout_s: Longest time it may take, in seconds.
    """

    def __init__(
        self,
        job: Job,
        file: Path,
        words: list[str],
        log: BinaryIO,
        place: int,
        launcher: Launcher,
        timeout_s: float | None,
    ) -> None:
        self.job, self.place = job, place
        self._log, self._timeout_s = log, timeout_s
        self._began = time.monotonic()
        self._asked: float | None = None  # when it was asked to stop
        self.is_late = False
        command = [*launcher.command, sys.executable, "-m", "reprise", "job", str(file), *words]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=launcher.environment(place),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.group = self._process.pid

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def code(self) -> int | None:
        """Its exit code once it has ended, minus the signal that killed it; sees to its time."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, self.group, options) is not None:
            self.kill()  # what it has left running, before its number can be another's
            return self._process.wait()
        if self._timeout_s is not None and self.seconds > self._timeout_s and not self._asked:
            self.is_late = True
            self.stop()
        if self._asked and time.monotonic() - self._asked > GRACE_S:
            self.kill()
        return None

    def stop(self) -> None:
        """Ask it to keep its state and end; killed where it does not in `GRACE_S`."""
        if self._asked is None:
            self._asked = time.monotonic()
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End its whole group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)

    def close(self) -> None:
        """Let others have the job, its end being written down."""
        self._log.close()
