"""All worker processes together: shares out tasks, hears results, replaces the dead and stuck."""

import selectors
import time
from collections import deque
from typing import Any

from reprise.datasets.base import Dataset
from reprise.loading.workers import faults
from reprise.loading.workers.failure import unpack
from reprise.loading.workers.seat import Seat, Task
from reprise.loading.workers.slots import Slots
from reprise.loading.workers.start import pack_for_start

_DEPTH = 2  # tasks per worker: one under way, and one waiting so that it never idles
_FATAL = 4  # deaths in a row over one sample: the first may be chance, three more are not
_STILLBORN = 20  # deaths in a row before any worker was ready; kills from outside can be quick


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
            self._pickled = pack_for_start(dataset)
        except Exception as error:
            raise faults.not_picklable(dataset, error) from error
        self._stillborn = 0
        self._good: int | None = None  # a sample that could be read
        self._sources = selectors.DefaultSelector()  # kept: to make one costs more than to ask it
        self._seats = [self._seat(number) for number in range(workers)]

    def dispatch(self, waiting: deque[Task]) -> None:
        """Give tasks to whoever has room: one to each before anyone gets a second."""
        for depth in range(_DEPTH):
            for seat in self._seats:
                if waiting and seat.takes(waiting[0], depth):
                    seat.give(waiting.popleft(), self._good)

    def hear(self, timeout_s: float) -> list[Task]:
        """Take in what the workers have to say, waiting for the first word at most this long.

        Returns:
            Tasks that a dead worker leaves behind, in the order of their steps.

        Raises:
            UserError: workers cannot be started.
            Exception: what unpickling the dataset raised in a worker.
        """
        began = time.monotonic()
        ready = {key.fileobj for key, _ in self._sources.select(timeout_s)}
        silent_s = min(time.monotonic() - began, timeout_s)  # Ctrl-Z may make it longer: not theirs
        left: list[Task] = []
        for seat in list(self._seats):
            heard = seat.connection in ready
            seat.silent_s += 0 if heard or not seat.tasks else silent_s
            dead = heard and not self._listen(seat, most=1)
            if dead or seat.process.sentinel in ready or self._is_stuck(seat):
                left += self._replace(seat)
        return sorted(left, key=lambda task: task.job.step)

    def close(self) -> None:
        """End the workers: those at work may finish their batch within a second."""
        for seat in self._seats:
            seat.hang_up()
        deadline = time.monotonic() + 1
        for seat in self._seats:
            seat.process.join(max(0, deadline - time.monotonic()))
            seat.end()
        self._sources.close()

    def _seat(self, number: int) -> Seat:
        return Seat(number, self._slots, self._pickled, self._sources)

    def _listen(self, seat: Seat, most: int | None = None) -> bool:
        """Take in what a worker said, at most so much; False when its end of the pipe is closed."""
        try:
            for kind, number, content in seat.messages(most):
                seat.silent_s = 0.0
                if kind == "failed":
                    raise unpack(content)
                if kind == "ready":
                    seat.ready, self._stillborn = True, 0
                elif seat.tasks and seat.tasks[0].number == number:  # not one given up as stuck
                    self._finish(seat, kind, content)
        except (EOFError, OSError):
            return False
        return True

    def _finish(self, seat: Seat, kind: str, content: Any) -> None:
        task = seat.tasks.popleft()
        task.producer = f"process {seat.process.pid}"
        if kind == "error":
            self._settle(task, unpack(content))
        else:
            task.arrays = content
            self._good = int(task.job.indices[0])
            self._settle(task)

    def _settle(self, task: Task, failure: Exception | None = None) -> None:
        task.done, task.failure = True, failure
        if not task.wanted:
            self._slots.give_back(task.slot)

    def _is_stuck(self, seat: Seat) -> bool:
        if self._timeout_s is None or seat.silent_s <= self._timeout_s:
            return False
        if not seat.ready:
            raise faults.stillborn(f"a process that was not ready after {self._timeout_s:g} s")
        at, task = seat.position(), seat.tasks.popleft()
        self._settle(task, faults.stuck(self._dataset, task.job, at, self._timeout_s))
        return True

    def _replace(self, seat: Seat) -> list[Task]:
        """Put a new worker in the place of a dead or stuck one, whose tasks are to be done anew."""
        self._listen(seat)  # its last words may have come after we looked
        code = seat.end()
        self._seats.remove(seat)
        if not seat.ready:
            self._stillborn += 1
            if self._stillborn == _STILLBORN or (code is not None and code >= 0):
                raise faults.stillborn(f"a process that ended with exit code {code}")
        elif (at := seat.position()) is not None:
            task = seat.tasks[0]
            task.blame(at, alone=len(seat.tasks) == 1)
            if len(task.deaths) >= _FATAL:
                seat.tasks.popleft()
                self._settle(task, faults.deadly(self._dataset, task.job, task.deaths))
        for task in seat.tasks:
            if not task.wanted:
                self._settle(task)
        self._seats.append(self._seat(seat.number))
        return [task for task in seat.tasks if task.wanted]
