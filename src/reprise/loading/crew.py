"""All worker processes together: shares out tasks, hears results, replaces the dead and stuck."""

import pickle
import time
from collections import deque
from multiprocessing import connection

from reprise.datasets.base import Dataset
from reprise.loading import faults
from reprise.loading.assemble import WHOLE_BATCH
from reprise.loading.failure import unpack
from reprise.loading.seat import Seat, Task, start_context
from reprise.loading.slots import Slots

_DEPTH = 2  # tasks per worker: one under way, and one waiting so that it never idles
_FATAL = 3  # deaths over one sample, each in a worker that had nothing else to do
_STILLBORN = 10  # deaths in a row before any worker was ready


class Crew:
    """Worker processes that live as long as their loader.

    Args:
        dataset: What they read.
        workers: How many.
        slots: Where they write.
        timeout_s: Silence, while the consumer waits, after which a worker with a task counts as
            stuck; None waits for ever.

    Raises:
        UserError: the dataset cannot be pickled.
    """

    def __init__(
        self, dataset: Dataset, workers: int, slots: Slots, timeout_s: float | None
    ) -> None:
        self._dataset, self._slots, self._timeout_s = dataset, slots, timeout_s
        try:
            self._pickled = pickle.dumps(dataset)
        except Exception as error:
            raise faults.not_picklable(dataset, error) from error
        # Read once by the fork server, so that its children start with these modules at hand.
        preload = ["reprise.loading.worker", type(dataset).__module__]
        start_context().set_forkserver_preload([name for name in preload if name != "__main__"])
        self._stillborn = 0
        self._seats = [Seat(number, slots, self._pickled) for number in range(workers)]

    def dispatch(self, waiting: deque[Task]) -> None:
        """Give tasks to whoever has room: one to each before anyone gets a second."""
        for depth in range(_DEPTH):
            for seat in self._seats:
                if waiting and seat.takes(waiting[0], depth):
                    seat.give(waiting.popleft(), self._slots)

    def hear(self, timeout_s: float) -> list[Task]:
        """Take in what the workers have to say, waiting for the first word at most this long.

        Returns:
            Tasks that a dead worker leaves behind, in the order of their steps.

        Raises:
            UserError: workers cannot be started.
            Exception: what unpickling the dataset raised in a worker.
        """
        began = time.monotonic()
        sources = [s for seat in self._seats for s in (seat.connection, seat.process.sentinel)]
        ready = connection.wait(sources, timeout_s)
        silent_s = min(time.monotonic() - began, timeout_s)  # Ctrl-Z may make it longer: not theirs
        left: list[Task] = []
        for seat in list(self._seats):
            alive = seat.process.sentinel not in ready
            if seat.connection in ready:
                alive = self._listen(seat) and alive
            elif seat.tasks:
                seat.silent_s += silent_s
            if self._timeout_s is not None and seat.silent_s > self._timeout_s:
                self._give_up(seat, self._timeout_s)
                alive = False
            if not alive:
                left += self._replace(seat)
        return sorted(left, key=lambda task: task.job.step)

    def close(self) -> None:
        """End the workers: those at work may finish their batch within a second."""
        for seat in self._seats:
            seat.connection.close()
        deadline = time.monotonic() + 1
        for seat in self._seats:
            seat.process.join(max(0, deadline - time.monotonic()))
            seat.end()

    def _listen(self, seat: Seat) -> bool:
        """Whether the worker's end of the pipe is still open."""
        try:
            for kind, content in seat.messages():
                seat.silent_s = 0.0
                if kind == "failed":
                    raise unpack(content)
                if kind == "ready":
                    seat.ready, self._stillborn = True, 0
                    continue
                task = seat.tasks.popleft()
                task.producer = f"process {seat.process.pid}"
                if kind == "error":
                    self._settle(task, failure=unpack(content))
                else:
                    task.arrays = content
                    self._settle(task)
        except (EOFError, OSError):
            return False
        return True

    def _settle(self, task: Task, failure: Exception | None = None) -> None:
        task.done, task.failure = True, failure
        if not task.wanted:
            self._slots.give_back(task.slot)

    def _give_up(self, seat: Seat, timeout_s: float) -> None:
        if not seat.ready:
            raise faults.stillborn(f"a process that was not ready after {timeout_s:g} s")
        task = seat.tasks.popleft()
        self._settle(task, faults.stuck(self._dataset, task.job, self._at(seat, task), timeout_s))

    def _replace(self, seat: Seat) -> list[Task]:
        """Put a new worker in the place of a dead one; what the dead one leaves to be done."""
        code = seat.end()
        if not seat.ready:
            self._stillborn += 1
            if self._stillborn == _STILLBORN or (code is not None and code >= 0):
                self._seats.remove(seat)
                raise faults.stillborn(f"a process that ended with exit code {code}")
        elif seat.tasks:
            self._blame(seat)
        for task in [task for task in seat.tasks if not task.wanted]:
            self._settle(task)
            seat.tasks.remove(task)
        self._seats[seat.number] = Seat(seat.number, self._slots, self._pickled)
        return list(seat.tasks)

    def _blame(self, seat: Seat) -> None:
        """Count this death against the task that the worker was at, if it had begun it."""
        task = seat.tasks[0]
        marked, at = self._slots.marks(seat.number).tolist()
        if marked != task.number:
            return
        task.suspect = True
        if len(seat.tasks) == 1:
            task.deaths.append(at)
        if task.deaths.count(at) >= _FATAL:
            seat.tasks.popleft()
            self._settle(task, faults.deadly(self._dataset, task.job, at, _FATAL))

    def _at(self, seat: Seat, task: Task) -> int:
        marked, at = self._slots.marks(seat.number).tolist()
        return at if marked == task.number else WHOLE_BATCH
