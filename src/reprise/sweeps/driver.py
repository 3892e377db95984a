"""Runs the jobs of a sweep, several at once, each in a process of its own."""

from __future__ import annotations

import math
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from reprise.errors import Stopped
from reprise.runs.folder import STATE
from reprise.runs.job import Job
from reprise.sweeps.launcher import End, Local, NotNow, Process, Task, kill_group
from reprise.sweeps.ledger import OVER, Ledger, Standing, State
from reprise.sweeps.plan import Plan
from reprise.training.state import newest_step

if TYPE_CHECKING:
    from reprise.sweeps.study import Study

POLL_S = 0.1
PAUSE_S = 10.0  # before a scheduler is asked again that did not answer, or takes no further job
MOST_STALLED = 3  # attempts in a row that are ended from outside without one further step
GRACE_S = 45.0  # a run that is asked to stop finishes its step within 30 s, then saves its state

# Judges how an attempt at a job has ended: from its exit code (None: not known) and what is wrong
# with it otherwise; returns the state and a note.
Judge = Callable[[Job, int | None, str], tuple[State, str]]


@dataclass
class Attempt:
    """An attempt at a job, under way.

    Args:
        job: The job.
        task: Its process, wherever that runs.
        log: Its open log, which this process has locked. Of a `Local` launcher the job's own
            process has inherited the lock.
        place: Which of the launcher's places it takes, from 0.
        began: When it was started; of the monotonic clock, in seconds.
        stopped: When it was asked to stop, or None.
        is_late: Whether it was stopped because it took too long.
        where: What was last said of where it is.
    """

    job: Job
    task: Task
    log: BinaryIO
    place: int
    began: float = field(default_factory=time.monotonic)
    stopped: float | None = None
    is_late: bool = False
    where: str = ""

    @property
    def seconds(self) -> float:
        """Its duration so far."""
        return time.monotonic() - self.began

    def stop(self) -> None:
        """Ask it to save its state and end."""
        if self.stopped is None:
            self.stopped = time.monotonic()
            self.task.stop()

    def enforce_limits(self, timeout_s: float | None) -> None:
        """Stop it after `timeout_s`, and kill it `GRACE_S` after it was asked to stop."""
        if self.stopped is not None:
            if time.monotonic() - self.stopped > GRACE_S:
                self.stopped = math.inf  # once
                self.task.kill()
        elif timeout_s is not None and self.seconds > timeout_s:
            self.is_late = True
            self.stop()


class Driver:
    """Runs the jobs of a sweep, alone or together with other processes.

    Args:
        ledger: The jobs.
        plan: The sweep.
        judge: Judges how attempts have ended.
        study: Gives further jobs of a search; None for a grid.
    """

    def __init__(
        self, ledger: Ledger, plan: Plan, judge: Judge, study: Study | None = None
    ) -> None:
        self._ledger, self._plan, self._judge, self._study = ledger, plan, judge, study
        self._running: list[Attempt] = []
        self._signals: list[int] = []  # received so far
        self._over: dict[int, State] = {}  # jobs that are not to be tried again
        self._reached: dict[int, tuple[int, int]] = {}  # step, and attempts that ended there
        self._not_before, self._trouble = 0.0, ""  # of a scheduler that does not answer

    def run(self) -> None:
        """Run every job to its end.

        Raises:
            Stopped: a signal has asked for it; the jobs have saved their state.
        """
        places = self._plan.launcher.places()
        with _recording_signals(self._signals):
            while True:
                self._enforce_limits()
                self._record_ends()
                while self._may_start and len(self._running) < places:
                    claimed = self._claim()
                    if claimed is None:
                        break
                    self._begin(*claimed)
                if not self._running and (self._signals or not self._has_open_jobs()):
                    break
                time.sleep(POLL_S)
        if self._signals:
            raise Stopped(self._signals[0])

    @property
    def _may_start(self) -> bool:
        return not self._signals and time.monotonic() >= self._not_before

    def _enforce_limits(self) -> None:
        """Stop or kill the attempts that are asked to end, or take too long."""
        for attempt in self._running:
            if self._signals:
                attempt.stop()
            if self._signals.count(signal.SIGINT) > 1:
                attempt.task.kill()
            attempt.enforce_limits(self._plan.sweep.timeout_s)

    def _record_ends(self) -> None:
        """Record how attempts have ended, and forget those; say where the others are."""
        for attempt in list(self._running):
            end, job = attempt.task.poll(), attempt.job
            if end is None:
                if attempt.task.is_queued:  # which takes none of its time
                    attempt.began = time.monotonic()
                if attempt.task.where != attempt.where:
                    attempt.where = attempt.task.where
                    print(f"job {job.number:02d} {attempt.where}", flush=True)
                continue
            late = f"no end within {self._plan.sweep.timeout_s:g} s" if attempt.is_late else ""
            # it was killed because the sweep is to stop
            is_ours = self._signals and end.code is not None and end.code < 0
            state, why = self._judge(job, None if is_ours else end.code, late)
            if state == "stopped" and not self._signals:
                state, why = self._stopped_from_outside(job, end)
            self._record(job, state, why, attempt.seconds)
            attempt.log.close()  # now other processes can claim the job
            self._running.remove(attempt)

    def _stopped_from_outside(self, job: Job, end: End) -> tuple[State, str]:
        """Judge a job that someone else has ended: it goes on, as long as that leads anywhere."""
        if not end.has_begun:
            return "stopped", end.why
        folder = self._ledger.run_folder(job)
        step = newest_step(folder / STATE) if folder else 0
        before, times = self._reached.get(job.number, (-1, 0))
        times = 1 if step > before else times + 1
        self._reached[job.number] = step, times
        if times < MOST_STALLED:
            return "stopped", end.why
        ends = f"{times} attempts in a row ended at step {step}"
        return "failed", f"{ends}, the last one {end.why}" if end.why else ends

    def _claim(self) -> tuple[Job, BinaryIO] | None:
        """Lock the log of the first job that is to be started; None if there is none now."""
        while True:
            here = {attempt.job.number for attempt in self._running}
            for job in self._ledger.jobs():
                if job.number in self._over or job.number in here or self._is_repeated_now(job):
                    continue
                log = self._ledger.claim(job.number)
                if log is None:
                    standing = self._ledger.standing(job.number)
                    _kill_overdue(standing, self._plan.sweep.timeout_s)
                    continue
                self._bring_up_to_date(job)
                if job.number not in self._over and not self._has_given_up:
                    return job, log
                log.close()
            if self._study is None or self._has_given_up or self._study.next_job() is None:
                return None

    def _is_repeated_now(self, job: Job) -> bool:
        """Return whether an earlier job of the same values has still to end."""
        earlier = self._ledger.same_as(job)
        return earlier is not None and self._ledger.standing(earlier.number).state not in OVER

    def _bring_up_to_date(self, job: Job) -> None:
        """Record what is missing of a claimed job: how it has ended, and whether it is over."""
        standing = self._ledger.standing(job.number)
        earlier = self._ledger.same_as(job)
        if earlier and standing.state not in OVER:
            done = self._ledger.standing(earlier.number)
            print(f"job {job.title}")
            self._record(job, done.state, f"as job {earlier.number}: {done.why}", 0.0)
            standing = self._ledger.standing(job.number)
        if standing.state == "begun" and not standing.task:  # its process was killed
            self._record(job, *self._judge(job, None, ""), 0.0)
            standing = self._ledger.standing(job.number)
        retries = self._plan.sweep.retries
        if standing.state == "failed" and standing.failures <= retries:
            return
        if standing.state in OVER:
            self._over[job.number] = standing.state
            if self._study:
                self._study.tell(job, standing.state)

    def _begin(self, job: Job, log: BinaryIO) -> None:
        """Start a claimed job, or go on with the attempt that another process has handed in."""
        standing = self._ledger.standing(job.number)
        taken = {attempt.place for attempt in self._running}
        place = min(set(range(len(taken) + 1)) - taken)
        task: Task | None
        try:
            if standing.state == "begun":
                task = self._plan.launcher.find(standing.task)
            else:
                task = self._start(job, standing, log, place)
        except NotNow as error:
            self._not_before = time.monotonic() + PAUSE_S
            if str(error) != self._trouble:
                self._trouble = str(error)
                print(f"note: no job can be started for now: {error}", flush=True)
            log.close()
            return
        if task:
            self._running.append(Attempt(job, task, log, place))
        else:  # never handed in, or over for so long that it is forgotten
            self._record(job, *self._judge(job, None, ""), 0.0)
            log.close()

    def _start(self, job: Job, standing: Standing, log: BinaryIO, place: int) -> Task:
        launcher, file = self._plan.launcher, self._ledger.file(job.number, "json")
        words = [*self._plan.fixed, *job.overrides]
        command = [sys.executable, "-m", "reprise", "job", str(file), *words]
        name = f"{job.run}-{standing.attempts + 1}"
        if not isinstance(launcher, Local):  # recorded first: it is found again by its name
            self._ledger.handed_on(job, name)
        try:
            task = launcher.start(command, name, log, place)
        except NotNow as error:
            self._ledger.ended(job, "stopped", str(error))
            raise
        print(f"job {job.title}" + ("" if standing.attempts == 0 else "  (continued)"), flush=True)
        if isinstance(task, Process):
            self._ledger.begun(job, task.group)
        return task

    def _record(self, job: Job, state: State, why: str, seconds: float) -> None:
        self._ledger.ended(job, state, why, seconds)
        print(f"job {job.number:02d} {state}" + (f": {why}" if why else ""), flush=True)

    @property
    def _has_given_up(self) -> bool:
        """Whether so many jobs have failed that no further one is started."""
        most = self._plan.sweep.max_failures
        return most is not None and list(self._over.values()).count("failed") > most

    def _has_open_jobs(self) -> bool:
        """Return whether jobs are to be started or, after giving up, run in other processes."""
        numbers = [job.number for job in self._ledger.jobs() if job.number not in self._over]
        if self._has_given_up:
            return any(self._ledger.is_claimed(number) for number in numbers)
        return bool(numbers)


@contextmanager
def _recording_signals(received: list[int]) -> Iterator[None]:
    """Append the numbers of SIGINT and SIGTERM to `received`, instead of their usual effect."""

    def handle(number: int, frame: object) -> None:
        if not received:
            note = "stopping: the jobs keep their state; Ctrl-C again ends them at once"
            print(f"\n{note}", flush=True)
        received.append(number)

    stops = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handle) for number in stops}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _kill_overdue(standing: Standing, timeout_s: float | None) -> None:
    """Kill a job that takes too long because the sweep's process that should end it was killed.

    Args:
        standing: Of a job whose log is locked, so that its process group still is its own.
        timeout_s: Longest duration, in seconds; None for any.
    """
    if timeout_s is None or standing.group is None:
        return
    group, host, began = standing.group
    if host == socket.gethostname() and time.time() > began + timeout_s + 2 * GRACE_S:
        kill_group(group)
