"""Batches made by threads of this process, or by whoever asks for them."""

import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait

from reprise.datasets.base import Dataset, Sample
from reprise.loading.assemble import WHOLE_BATCH, assemble
from reprise.loading.order import Job
from reprise.loading.workers import faults
from reprise.loading.workers.worker import hold_to_one_thread, keep_buffers

_SLICE_S = 0.5


class Caller:
    """No worker at all: each batch, or some at once, is made when it is asked for.

    Args:
        dataset: What to read.
        rows: Rows of a batch; a job of more is handed out in parts.
    """

    def __init__(self, dataset: Dataset, rows: int) -> None:
        self._dataset, self._rows = dataset, rows

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[str, Sample]]:
        """Make these batches; who made each, and the batch."""
        for job in jobs:
            x, y = assemble(self._dataset, job)
            for at in range(0, len(x), self._rows):
                part = slice(at, at + self._rows)
                yield "this process", (x[part], y[part])

    def close(self) -> None:
        """Nothing to end."""


class _Task(Future[tuple[str, Sample]]):
    """One batch under way, and the sample it is at."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        self.at = WHOLE_BATCH

    def mark(self, at: int) -> None:
        self.at = at


_Inbox = queue.SimpleQueue[_Task | None]


class Threads:
    """Threads, started at the first batch and kept until `close`.

    They are daemons: one that is stuck in a read does not keep the program from ending. OpenCV and
    BLAS are held to one thread in the whole program, since they cannot be so for some threads, and
    all of it keeps freed memory, which TensorFlow's generators otherwise have it give back.

    Args:
        dataset: What to read, from several threads at a time.
        workers: Number of threads.
        ahead: Finished batches that may wait for the consumer, beside those in the making.
        timeout_s: How long to wait for a batch before it counts as stuck; None waits for ever.
    """

    def __init__(self, dataset: Dataset, workers: int, ahead: int, timeout_s: float | None) -> None:
        self._dataset, self._workers, self._timeout_s = dataset, workers, timeout_s
        self._length = ahead + workers
        self._inbox: _Inbox = queue.SimpleQueue()
        self._window: deque[_Task] = deque()
        self._threads: list[threading.Thread] = []
        # Called by close, or when the loader is dropped without it.
        self._dismiss = weakref.finalize(self, _dismiss, self._inbox, workers)

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[str, Sample]]:
        """Make these batches; who made each, and the batch. Gives up what an earlier call began."""
        self._start()
        self._forget()
        while True:
            while len(self._window) < self._length and (job := next(jobs, None)):
                task = _Task(job)
                self._window.append(task)
                self._inbox.put(task)
            if not self._window:
                return
            yield self._await(self._window.popleft())

    def close(self) -> None:
        """End the threads; one that is stuck is left behind."""
        self._forget()
        self._dismiss()
        deadline = time.monotonic() + 1
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _start(self) -> None:
        if not self._threads:
            keep_buffers()
        for number in range(len(self._threads), self._workers):
            thread = threading.Thread(
                target=_work, args=(self._dataset, self._inbox, number), daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def _forget(self) -> None:
        for task in self._window:
            task.cancel()
        self._window.clear()

    def _await(self, task: _Task) -> tuple[str, Sample]:
        waited_s = 0.0  # in slices, so that the time a stopped process (Ctrl-Z) sleeps is not in it
        while not task.done():
            if self._timeout_s is not None and waited_s > self._timeout_s:
                raise faults.stuck(self._dataset, task.job, task.at, self._timeout_s)
            wait([task], _SLICE_S)
            waited_s += _SLICE_S
        return task.result()


def _work(dataset: Dataset, inbox: _Inbox, number: int) -> None:
    hold_to_one_thread()
    is_first = True
    while task := inbox.get():
        if not task.set_running_or_notify_cancel():
            continue
        try:
            batch = assemble(dataset, task.job, mark=task.mark)
            if is_first:  # and what the first read has imported
                hold_to_one_thread()
                is_first = False
            task.set_result((f"thread {number}", batch))
        except BaseException as error:
            task.set_exception(error)


def _dismiss(inbox: _Inbox, workers: int) -> None:
    for _ in range(workers):
        inbox.put(None)
