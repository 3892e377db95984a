"""Batches made by worker processes, handed over in order and without a copy."""

import contextlib
import itertools
import selectors
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from reprise.datasets.base import Dataset, Sample
from reprise.errors import UserError
from reprise.loading.order import BatchPlan, Order
from reprise.loading.process_start import WorkerProcess, pickle_for_start
from reprise.loading.slots import Slots
from reprise.loading.worker import (
    CRASH,
    NO_TASK,
    Request,
    batch_stuck,
    has_fixed_shapes,
    unpack_error,
    which_samples,
    work,
)

_SPARE = 3  # batches that the consumer may keep as views: the one in use, and TensorFlow's delay
_WAIT_S = 0.5  # how soon a wait notices that the loader was closed from another thread
_DEPTH = 2  # tasks per worker: one under way, and one waiting so that it never idles
_FATAL = 4  # deaths in a row over one sample: the first may be chance, three more are not
_MOST_STARTS = 20  # deaths in a row before any worker was ready; kills from outside can be quick
_NO_SLOT = -1


@dataclass(eq=False)
class Task:
    """One batch under way.

    Args:
        number: Never used twice, unlike the step.
        plan: What to read.
        slot: Where it is written; none before a worker has it, so that few slots are touched.
        is_wanted: False once its iteration was given up.
        is_done: Its batch or its error is there.
        arrays: The batch, where it did not travel in the slot.
        error: What to raise in its place.
        producer: Name of the worker that made it.
        is_suspect: A worker died over it, so the next one gets it alone.
        deaths: Position of the sample that was being read, for each of the workers that died, one
            after the other, over this very sample while they had no other task.
    """

    number: int
    plan: BatchPlan
    slot: int = _NO_SLOT
    is_wanted: bool = True
    is_done: bool = False
    arrays: Sample | None = None
    error: Exception | None = None
    producer: str = ""
    is_suspect: bool = False
    deaths: list[int] = field(default_factory=list)

    def blame(self, at: int, alone: bool) -> None:
        """Note that a worker died while it read the sample at this position of the batch."""
        self.is_suspect = True
        if alone:
            self.deaths = [*(death for death in self.deaths if death == at), at]


class _Worker(WorkerProcess):
    """A worker process and its tasks.

    Args:
        number: Number of its line in the slots.
        pickled: The dataset.
        slots: Where batches are written.
        selector: Watches the pipe and the process's end, for as long as there is a pipe.
    """

    def __init__(
        self, number: int, pickled: bytes, slots: Slots, selector: selectors.BaseSelector
    ) -> None:
        slots.progress(number)[:] = NO_TASK
        super().__init__(work, pickled, slots, number)
        self.number, self._slots, self._selector = number, slots, selector
        self.tasks: deque[Task] = deque()  # the first is under way
        self.is_ready = False
        self.silent_s = 0.0
        for source in (self.connection, self.process.sentinel):
            selector.register(source, selectors.EVENT_READ)

    def takes(self, task: Task, depth: int) -> bool:
        """Whether this worker, if it has `depth` tasks, may have this one too."""
        alone = depth == 0 or not (task.is_suspect or self.tasks[0].is_suspect)
        return len(self.tasks) == depth and alone

    def give(self, task: Task, warm_up: int | None) -> None:
        """Send a task; should the worker be dead already, the next look at it finds out.

        Args:
            task: What to do.
            warm_up: A sample known to be good, which a worker reads before a suspect task: what the
                first read of a new process costs (imports, connections) is then behind it.
        """
        if not self.tasks:
            self.silent_s = 0.0
        if task.slot == _NO_SLOT:
            task.slot = self._slots.take()
        self.tasks.append(task)
        plan, rows = task.plan, len(task.plan.indices)
        self._slots.indices(task.slot, rows)[:] = plan.indices
        warm_up = warm_up if task.is_suspect else None
        request = Request(task.number, task.slot, rows, plan.step, plan.rngs.key, warm_up)
        with contextlib.suppress(OSError):
            self.connection.send(request)

    def position(self) -> int | None:
        """Where in its first task it is or, if it is dead, was; None if it has not begun it."""
        number, at = self._slots.progress(self.number).tolist()
        return at if self.tasks and self.tasks[0].number == number else None

    def unwatch(self) -> None:
        """Close the pipe, at which the worker ends when it has made its batch."""
        if not self.connection.closed:
            for source in (self.connection, self.process.sentinel):
                self._selector.unregister(source)
            self.connection.close()

    def end(self, timeout_s: float = 0.0) -> int | None:
        self.unwatch()
        return super().end(timeout_s)


class ProcessPool:
    """Worker processes, started at the first batch and kept until `close`.

    Args:
        dataset: What to read; it is pickled once.
        order: Which samples make which batch.
        workers: Number of processes.
        ahead: Finished batches that may wait for the consumer, beside those in the making.
        timeout_s: Silence, while the consumer waits, after which a worker with a task counts as
            stuck; None waits for ever.
    """

    def __init__(
        self, dataset: Dataset, order: Order, *, workers: int, ahead: int, timeout_s: float | None
    ) -> None:
        self._dataset, self._order, self._timeout_s = dataset, order, timeout_s
        self._num_workers, self._length = workers, ahead + workers
        self._numbers = itertools.count()
        self._window: deque[Task] = deque()  # in the order of the steps
        self._waiting: deque[Task] = deque()  # those of the window that no worker has
        self._workers: list[_Worker] = []
        self._slots: Slots | None = None
        self._selector: selectors.BaseSelector | None = None
        self._pickled = b""
        self._failed_starts = 0  # in a row
        self._good_sample: int | None = None  # one that could be read
        self._lock = threading.RLock()
        self._closed = False

    def run(self, start: int, stop: int | None) -> Iterator[tuple[str, Sample]]:
        """Yield the batches from `start` up to `stop` (None: endless), each with its producer.

        Gives up what an earlier call began.

        Raises:
            UserError: workers cannot be started, or a batch kills them or is stuck.
            Exception: whatever reading a batch raised in a worker.
        """
        plans = self._order.plans(start, stop)
        with self._lock:
            try:
                slots = self._slots or self._start()
            except BaseException:
                self._end()
                raise
            self._give_up(slots)
        while True:
            with self._lock:
                try:
                    self._make_next(plans)
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

    def _start(self) -> Slots:
        self._pickled = pickle_for_start(self._dataset, type(self._dataset).__qualname__)
        sized = has_fixed_shapes(self._dataset)
        specs = (self._dataset.input_spec, self._dataset.target_spec) if sized else ()
        self._slots = Slots(self._num_workers, self._length, _SPARE, self._order.rows, specs)
        self._selector = selectors.DefaultSelector()  # kept: making one costs more than asking it
        self._failed_starts = 0
        for number in range(self._num_workers):
            self._add_worker(number)
        return self._slots

    def _add_worker(self, number: int) -> None:
        assert self._slots
        assert self._selector
        self._workers.append(_Worker(number, self._pickled, self._slots, self._selector))

    def _end(self) -> None:
        """End the workers: those at work may finish their batch within a second."""
        for worker in self._workers:
            worker.unwatch()
        deadline = time.monotonic() + 1
        for worker in self._workers:
            worker.end(max(0, deadline - time.monotonic()))
        if self._selector and self._slots:
            self._selector.close()
            self._slots.close()
        self._slots = self._selector = None
        for tasks in (self._workers, self._window, self._waiting):
            tasks.clear()

    def _give_up(self, slots: Slots) -> None:
        for task in self._window:
            task.is_wanted = False
            if task.slot != _NO_SLOT and (task.is_done or task in self._waiting):
                slots.give_back(task.slot)
        self._window.clear()
        self._waiting.clear()

    def _make_next(self, plans: Iterator[BatchPlan]) -> None:
        """Keep the workers busy until the next batch is there."""
        timeout_s = 0.0
        while True:
            if self._closed:
                raise RuntimeError("the loader was closed while a batch was awaited")
            for plan in itertools.islice(plans, self._length - len(self._window)):
                task = Task(next(self._numbers), plan)
                self._window.append(task)
                self._waiting.append(task)
            self._dispatch()
            self._waiting.extendleft(reversed(self._receive(timeout_s)))
            self._dispatch()
            if not self._window or self._window[0].is_done:
                return
            timeout_s = _WAIT_S

    def _dispatch(self) -> None:
        """Send tasks to workers that have room: one to each before any gets a second."""
        for depth in range(_DEPTH):
            for worker in self._workers:
                if self._waiting and worker.takes(self._waiting[0], depth):
                    worker.give(self._waiting.popleft(), self._good_sample)

    def _receive(self, timeout_s: float) -> list[Task]:
        """Take in the workers' messages, waiting at most this long for the first.

        Returns:
            Tasks that a dead worker leaves behind, in the order of their steps.
        """
        assert self._selector
        began = time.monotonic()
        ready = {key.fileobj for key, _ in self._selector.select(timeout_s)}
        silent_s = min(time.monotonic() - began, timeout_s)  # Ctrl-Z may make it longer: not theirs
        left: list[Task] = []
        for worker in list(self._workers):
            heard = worker.connection in ready
            worker.silent_s += 0 if heard or not worker.tasks else silent_s
            dead = heard and not self._listen(worker)
            if dead or worker.process.sentinel in ready or self._is_stuck(worker):
                left += self._replace(worker)
        return sorted(left, key=lambda task: task.plan.step)

    def _listen(self, worker: _Worker) -> bool:
        """Take in a message that is there; False when the worker's end of the pipe is closed."""
        try:
            kind, number, content = worker.connection.recv()
        except (EOFError, OSError):
            return False
        worker.silent_s = 0.0
        if kind == "failed":
            raise unpack_error(content)
        if kind == "ready":
            worker.is_ready, self._failed_starts = True, 0
        elif worker.tasks and worker.tasks[0].number == number:  # not one given up as stuck
            task = worker.tasks.popleft()
            task.producer = worker.name
            if kind == "error":
                self._settle(task, unpack_error(content))
            else:
                task.arrays, self._good_sample = content, int(task.plan.indices[0])
                self._settle(task)
        return True

    def _settle(self, task: Task, error: Exception | None = None) -> None:
        task.is_done, task.error = True, error
        if not task.is_wanted and self._slots:
            self._slots.give_back(task.slot)

    def _is_stuck(self, worker: _Worker) -> bool:
        if self._timeout_s is None or worker.silent_s <= self._timeout_s:
            return False
        if not worker.is_ready:
            reason = f"a process that was not ready after {self._timeout_s:g} s"
            raise _no_worker_starts(reason)
        at, task = worker.position(), worker.tasks.popleft()
        self._settle(task, batch_stuck(self._dataset, task.plan, at, self._timeout_s))
        return True

    def _replace(self, worker: _Worker) -> list[Task]:
        """Start another worker in the place of a dead or stuck one; the tasks to be done anew."""
        with contextlib.suppress(OSError):
            while worker.connection.poll() and self._listen(worker):  # sent in the meantime
                pass
        self._workers.remove(worker)
        code = worker.end()
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts == _MOST_STARTS or (code is not None and code >= 0):
                raise _no_worker_starts(f"a process that ended with exit code {code}")
        elif (at := worker.position()) is not None:
            task = worker.tasks[0]
            task.blame(at, alone=len(worker.tasks) == 1)
            if len(task.deaths) >= _FATAL:
                worker.tasks.popleft()
                killed = UserError(
                    f"step {task.plan.step}: reading it ended the worker process {_FATAL} times",
                    "samples that can be read",
                    which_samples(self._dataset, task.plan, at),
                    CRASH,
                )
                self._settle(task, killed)
        for task in worker.tasks:
            if not task.is_wanted:
                self._settle(task)
        self._add_worker(worker.number)
        return [task for task in worker.tasks if task.is_wanted]

    def _hand_over(self, task: Task, slots: Slots) -> Sample:
        if task.error is None and task.arrays is None:
            return slots.lend(task.slot, len(task.plan.indices))
        slots.give_back(task.slot)
        if task.error is not None:
            raise task.error
        assert task.arrays is not None
        return task.arrays


def _no_worker_starts(reason: str) -> UserError:
    return UserError(
        "no worker process comes up",
        "a process that imports the dataset's module and waits for jobs",
        reason,
        "the lines above may say why; loader.use_multiprocessing=false does without processes",
    )
