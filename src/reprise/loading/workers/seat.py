"""One worker process as its parent sees it, and the tasks it is given."""

import contextlib
import os
import selectors
import signal
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from reprise.datasets.base import Sample
from reprise.loading.order import Job
from reprise.loading.workers import worker
from reprise.loading.workers.slots import Slots
from reprise.loading.workers.start import begin, start_context

NO_SLOT = -1
_GONE = 255  # exit code where the fork server, which knows the real one, has died


@dataclass(eq=False)
class Task:
    """One batch under way.

    Args:
        number: Never used twice, unlike the step.
        job: What to read.
        slot: Where it is written; none before a worker has it, so that few slots are touched.
        wanted: False once its iteration was given up.
        done: Its batch or its failure is there.
        arrays: The batch, where it did not travel in the slot.
        failure: What to raise in its place.
        producer: Who made it.
        suspect: A worker died over it, so the next one gets it alone.
        deaths: Position of the sample that was being read, for each of the workers that died, one
            after the other, over this very sample while they had no other task.
    """

    number: int
    job: Job
    slot: int = NO_SLOT
    wanted: bool = True
    done: bool = False
    arrays: Sample | None = None
    failure: Exception | None = None
    producer: str = ""
    suspect: bool = False
    deaths: list[int] = field(default_factory=list)

    def blame(self, at: int, alone: bool) -> None:
        """Note that a worker died while it read the sample at this position of the batch."""
        self.suspect = True
        if alone:
            self.deaths = [*(death for death in self.deaths if death == at), at]


class Seat:
    """A worker process, its pipe and its tasks.

    Args:
        number: Which marks are its.
        slots: Where batches are written.
        pickled: The dataset.
        sources: Told of the pipe and of the process's end, for as long as there is a pipe.
    """

    def __init__(
        self, number: int, slots: Slots, pickled: bytes, sources: selectors.BaseSelector
    ) -> None:
        context = start_context()
        slots.marks(number)[:] = worker.NO_TASK
        self.number, self._slots, self._sources = number, slots, sources
        self.tasks: deque[Task] = deque()  # the first is the one it is at
        self.ready = False
        self.silent_s = 0.0
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=worker.work, args=(theirs, slots, number, pickled), daemon=True
        )
        begin(self.process, pickled)
        theirs.close()
        for source in (self.connection, self.process.sentinel):
            sources.register(source, selectors.EVENT_READ)

    def takes(self, task: Task, depth: int) -> bool:
        """Whether this seat, if it has `depth` tasks, may have this one too."""
        alone = depth == 0 or not (task.suspect or self.tasks[0].suspect)
        return len(self.tasks) == depth and alone

    def give(self, task: Task, rehearse: int | None) -> None:
        """Hand over a task; should the worker be dead already, `Crew.hear` finds out.

        Args:
            task: What to do.
            rehearse: A sample known to be good, which a worker reads before a suspect task: what
                the first read of a new process costs (imports, connections) is then behind it.
        """
        if not self.tasks:
            self.silent_s = 0.0
        if task.slot == NO_SLOT:
            task.slot = self._slots.take()
        self.tasks.append(task)
        job = task.job
        rows = len(job.indices)
        self._slots.indices(task.slot, rows)[:] = job.indices
        rehearse = rehearse if task.suspect else None
        request = worker.Request(task.number, task.slot, rows, job.step, job.rngs.key, rehearse)
        with contextlib.suppress(OSError):
            self.connection.send(request)

    def messages(self, most: int | None) -> Iterator[tuple[str, int, Any]]:
        """What it has said and was not heard yet; EOFError or OSError at its end.

        Args:
            most: So many are there, as is known; None looks, which takes longer.
        """
        while most or (most is None and self.connection.poll()):
            yield self.connection.recv()
            most = None if most is None else most - 1

    def position(self) -> int | None:
        """Where in its first task it is or, if it is dead, was; None if it has not begun it."""
        number, at = self._slots.marks(self.number).tolist()
        return at if self.tasks and self.tasks[0].number == number else None

    def hang_up(self) -> None:
        """Close the pipe: the worker leaves when it has made its batch."""
        if not self.connection.closed:
            for source in (self.connection, self.process.sentinel):
                self._sources.unregister(source)
            self.connection.close()

    def end(self) -> int | None:
        """Make sure that it is dead; its exit code, or None where we had to see to it."""
        self.hang_up()
        code = self.process.exitcode
        if code in (None, _GONE):
            code = None
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid or 0, signal.SIGKILL)
            self.process.join()
        self.process.close()
        return code
