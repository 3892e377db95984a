"""Batches made by threads of this process."""

import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait

from reprise.datasets.base import Dataset, Sample
from reprise.loading.order import BatchPlan, Order
from reprise.loading.worker import (
    WHOLE_BATCH,
    assemble,
    batch_stuck,
    keep_freed_memory,
    limit_to_one_thread,
)

_WAIT_S = 0.5


class _Task(Future[tuple[str, Sample]]):
    """One batch under way, and the position of the sample that is read."""

    def __init__(self, plan: BatchPlan) -> None:
        super().__init__()
        self.plan, self.at = plan, WHOLE_BATCH

    def report(self, at: int) -> None:
        self.at = at


_Inbox = queue.SimpleQueue[_Task | None]


class ThreadPool:
    """Threads, started at the first batch and kept until `close`.

    They are daemons: one that is stuck in a read does not keep the program from ending. OpenCV and
    BLAS are limited to one thread in the whole program, since they cannot be so for some threads,
    and all of it keeps freed memory, which TensorFlow's generators otherwise have it give back.

    Args:
        dataset: What to read, from several threads at a time.
        order: Which samples make which batch.
        workers: Number of threads.
        ahead: Finished batches that may wait for the consumer, beside those in the making.
        timeout_s: How long to wait for a batch before it counts as stuck; None waits for ever.
    """

    def __init__(
        self, dataset: Dataset, order: Order, *, workers: int, ahead: int, timeout_s: float | None
    ) -> None:
        self._dataset, self._order, self._timeout_s = dataset, order, timeout_s
        self._workers = workers
        self._length = ahead + workers
        self._inbox: _Inbox = queue.SimpleQueue()
        self._tasks: deque[_Task] = deque()  # in the order of the steps
        self._threads: list[threading.Thread] = []
        # Called by close, or when the loader is dropped without it.
        self._dismiss = weakref.finalize(self, _dismiss, self._inbox, workers)

    def run(self, start: int, stop: int | None) -> Iterator[tuple[str, Sample]]:
        """Yield the batches from `start` up to `stop` (None: endless), each with its producer.

        Gives up what an earlier call began.
        """
        plans = self._order.plans(start, stop)
        self._start()
        self._give_up()
        while True:
            while len(self._tasks) < self._length and (plan := next(plans, None)):
                task = _Task(plan)
                self._tasks.append(task)
                self._inbox.put(task)
            if not self._tasks:
                return
            yield self._await(self._tasks.popleft())

    def close(self) -> None:
        """End the threads; one that is stuck is left behind."""
        self._give_up()
        self._dismiss()
        deadline = time.monotonic() + 1
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _start(self) -> None:
        if self._threads:
            return
        keep_freed_memory()
        for number in range(self._workers):
            args = (self._dataset, self._inbox, number)
            self._threads.append(threading.Thread(target=_work, args=args, daemon=True))
            self._threads[-1].start()

    def _give_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    def _await(self, task: _Task) -> tuple[str, Sample]:
        waited_s = 0.0  # in slices, so that the time a stopped process (Ctrl-Z) sleeps is not in it
        while not task.done():
            if self._timeout_s is not None and waited_s > self._timeout_s:
                raise batch_stuck(self._dataset, task.plan, task.at, self._timeout_s)
            wait([task], _WAIT_S)
            waited_s += _WAIT_S
        return task.result()


def _work(dataset: Dataset, inbox: _Inbox, number: int) -> None:
    limit_to_one_thread()
    is_first = True
    while task := inbox.get():
        if not task.set_running_or_notify_cancel():
            continue
        try:
            batch = assemble(dataset, task.plan, report=task.report)
            if is_first:  # and the libraries that the first read has imported
                limit_to_one_thread()
                is_first = False
            task.set_result((f"thread {number}", batch))
        except BaseException as error:
            task.set_exception(error)


def _dismiss(inbox: _Inbox, workers: int) -> None:
    for _ in range(workers):
        inbox.put(None)
