"""Batches made by worker processes, handed over in order and without a copy."""

import itertools
import threading
from collections import deque
from collections.abc import Iterator

from reprise.datasets.base import Dataset, Sample
from reprise.loading.assemble import is_sized
from reprise.loading.order import Job
from reprise.loading.workers.crew import Crew
from reprise.loading.workers.seat import NO_SLOT, Task
from reprise.loading.workers.slots import Slots

_SPARE = 3  # batches that the consumer may keep as views: the one in use, and TensorFlow's delay
_SLICE_S = 0.5  # how soon a wait notices that the loader was closed from another thread


class Processes:
    """Worker processes, started at the first batch and kept until `close`.

    Args:
        dataset: What to read; it is pickled once.
        workers: Number of processes.
        ahead: Finished batches that may wait for the consumer, beside those in the making.
        rows: Rows of the largest batch.
        timeout_s: How long to wait for a batch before it counts as stuck; None waits for ever.
    """

    def __init__(
        self, dataset: Dataset, workers: int, ahead: int, rows: int, timeout_s: float | None
    ) -> None:
        self._dataset, self._workers, self._timeout_s = dataset, workers, timeout_s
        self._rows, self._length = rows, ahead + workers
        self._numbers = itertools.count()
        self._window: deque[Task] = deque()  # in the order of the steps
        self._waiting: deque[Task] = deque()  # those of the window that no worker has
        self._lock = threading.RLock()
        self._closed = False
        self._crew: Crew | None = None
        self._slots: Slots | None = None

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[str, Sample]]:
        """Make these batches; who made each, and the batch. Gives up what an earlier call began."""
        with self._lock:
            crew, slots = self._start()
            self._forget(slots)
        while True:
            with self._lock:
                try:
                    self._pump(jobs, crew)
                except BaseException:  # no worker comes up, or Ctrl-C in the middle of it all
                    self._end()
                    raise
                if not self._window:
                    return
                task = self._window.popleft()
                batch = self._hand_over(task, slots)
            yield task.producer, batch
            del task, batch  # the consumer alone decides how long they live

    def close(self) -> None:
        """End the workers and let go of the memory; batches already handed over stay valid."""
        self._closed = True
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._crew and self._slots:
            self._crew.close()
            self._slots.close()
        self._crew = self._slots = None
        self._window.clear()
        self._waiting.clear()

    def _start(self) -> tuple[Crew, Slots]:
        if not self._crew or not self._slots:
            sized = is_sized(self._dataset)
            specs = (self._dataset.input_spec, self._dataset.target_spec) if sized else ()
            slots = Slots(self._workers, self._length, _SPARE, self._rows, specs)
            self._crew = Crew(self._dataset, self._workers, slots, self._timeout_s)
            self._slots = slots
        return self._crew, self._slots

    def _forget(self, slots: Slots) -> None:
        for task in self._window:
            task.wanted = False
            if task.slot != NO_SLOT and (task.done or task in self._waiting):
                slots.give_back(task.slot)
        self._window.clear()
        self._waiting.clear()

    def _fill(self, jobs: Iterator[Job]) -> None:
        missing = self._length - len(self._window)
        for job in itertools.islice(jobs, missing):
            task = Task(next(self._numbers), job)
            self._window.append(task)
            self._waiting.append(task)

    def _pump(self, jobs: Iterator[Job], crew: Crew) -> None:
        """Keep the workers busy until the next batch is there."""
        timeout_s = 0.0
        while True:
            if self._closed:
                raise RuntimeError("the loader was closed while a batch was awaited")
            self._fill(jobs)
            crew.dispatch(self._waiting)
            self._waiting.extendleft(reversed(crew.hear(timeout_s)))
            crew.dispatch(self._waiting)
            if not self._window or self._window[0].done:
                return
            timeout_s = _SLICE_S

    def _hand_over(self, task: Task, slots: Slots) -> Sample:
        if task.failure is None and task.arrays is None:
            return slots.lend(task.slot, len(task.job.indices))
        slots.give_back(task.slot)
        if task.failure is not None:
            raise task.failure
        assert task.arrays is not None
        return task.arrays
