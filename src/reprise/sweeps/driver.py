"""The loop of a sweep: begins jobs where there is room for them, and sees to their ends."""

import signal
import time
from collections.abc import Callable
from typing import Protocol

from reprise.errors import Stopped
from reprise.runs.job import Job
from reprise.sweeps.attempt import Attempt
from reprise.sweeps.ledger import OVER, Ledger, Standing, State
from reprise.sweeps.settings import Launcher, Sweep
from reprise.sweeps.signals import asked_by_signals, end_if_too_late

POLL_S = 0.1

Judge = Callable[[Job, int | None, str], tuple[State, str]]


class Source(Protocol):
    """Where jobs come from."""

    def more(self) -> Job | None:
        """One more job than there are, or None where there is to be none."""

    def over(self, job: Job, state: State) -> None:
        """A job has ended for good."""


class Driver:
    """Runs the jobs of a sweep, alone or beside other processes that do the same.

    Args:
        ledger: The jobs.
        source: Gives further jobs.
        sweep: Settings.
        launcher: Settings.
        words: Gives a job's whole command line.
        judge: Tells how an attempt has ended, and what to say of it: from the job, its exit code
            (None: nobody has seen it), and what is known to be wrong already.
        say: Told what happens, in a line.
    """

    def __init__(
        self,
        ledger: Ledger,
        source: Source,
        sweep: Sweep,
        launcher: Launcher,
        words: Callable[[Job], list[str]],
        judge: Judge,
        say: Callable[[str], None],
    ) -> None:
        self._ledger, self._source, self._sweep = ledger, source, sweep
        self._launcher, self._words, self._judge, self._say = launcher, words, judge, say
        self._attempts: list[Attempt] = []
        self._asked: list[int] = []  # signals that have come
        self._over: dict[int, State] = {}  # jobs of which nothing is left to do

    def run(self) -> None:
        """Run every job to its end.

        Raises:
            Stopped: it was asked to stop; the jobs have kept their state.
        """
        places = self._launcher.places()
        with asked_by_signals(self._asked):
            while True:
                self._attempts = [one for one in self._attempts if not self._has_ended(one)]
                while not self._asked and len(self._attempts) < places and self._begin_one():
                    pass
                if not self._attempts and (self._asked or not self._are_elsewhere()):
                    break
                time.sleep(POLL_S)
        if self._asked:
            raise Stopped(self._asked[0])

    def _begin_one(self) -> bool:
        """Begin an attempt at the first job that wants one; False where none does."""
        here = {attempt.job.number for attempt in self._attempts}
        if any(
            self._try(job) for job in self._ledger.jobs() if job.number not in {*self._over, *here}
        ):
            return True
        job = None if self._is_given_up else self._source.more()
        return job is not None and self._try(job)

    def _try(self, job: Job) -> bool:
        """Begin an attempt at a job, unless it is under way elsewhere or has nothing left to do."""
        log = self._ledger.claim(job.number)
        if log is None:
            end_if_too_late(self._ledger.standing(job.number), self._sweep.timeout_s)
            return False
        standing = self._ledger.standing(job.number)
        if standing.state == "begun":  # by a process that has not lived to see its end
            self._settle(job, *self._judge(job, None, ""), 0.0)
            standing = self._ledger.standing(job.number)
        is_over = standing.state in OVER and not self._may_retry(standing)
        if is_over:
            self._over[job.number] = standing.state
            self._source.over(job, standing.state)
        if is_over or self._is_given_up:
            log.close()
            return False
        self._say(f"job {job.title}" + ("" if standing.state == "waiting" else "  (goes on)"))
        taken = {attempt.place for attempt in self._attempts}
        place = min(set(range(len(taken) + 1)) - taken)
        file, words = self._ledger.file(job.number, "json"), self._words(job)
        late = self._sweep.timeout_s
        self._attempts.append(Attempt(job, file, words, log, place, self._launcher, late))
        self._ledger.begun(job, self._attempts[-1].group)
        return True

    def _may_retry(self, standing: Standing) -> bool:
        return standing.state == "failed" and standing.failures <= self._sweep.retries

    @property
    def _is_given_up(self) -> bool:
        """Whether so many jobs have failed that no further one is to begin."""
        most = self._sweep.max_failures
        return most is not None and list(self._over.values()).count("failed") > most

    def _are_elsewhere(self) -> bool:
        """Whether other processes are at work on jobs, or were a moment ago."""
        open_jobs = [job.number for job in self._ledger.jobs() if job.number not in self._over]
        logs = [self._ledger.claim(number) for number in open_jobs]
        for log in logs:
            if log is not None:
                log.close()
        return None in logs or (bool(logs) and not self._is_given_up)

    def _has_ended(self, attempt: Attempt) -> bool:
        """See to an attempt that has ended; False of one that has not."""
        if self._asked:
            attempt.stop()
        if self._asked.count(signal.SIGINT) > 1:
            attempt.kill()
        code = attempt.code()
        if code is None:
            return False
        late = f"no end within {self._sweep.timeout_s:g} s" if attempt.is_late else ""
        unseen = self._asked and code < 0  # ended at our wish, not by itself
        state, why = self._judge(attempt.job, None if unseen else code, late)
        self._settle(attempt.job, state, why, attempt.seconds)
        attempt.close()
        return True

    def _settle(self, job: Job, state: State, why: str, seconds: float) -> None:
        self._ledger.ended(job, state, why, seconds)
        self._say(f"job {job.number:02d} {state}" + (f": {why}" if why else ""))
