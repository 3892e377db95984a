"""Workers that read a stream ahead: each owns some of its lanes, and answers when it is asked.

A worker is asked for a few answers more than the consumer has had: that bounds the memory. What it
is asked next can be the beginning of another reading, and what it still says of the one before is
passed over; so a reading may be given up at any time.
"""

import contextlib
import os
import pickle
import queue
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from reprise.datasets.streams.part import Item, Part
from reprise.loading.streams.parcel import unwrap, wrap
from reprise.loading.streams.turns import in_turns, read_lane
from reprise.loading.workers import faults
from reprise.loading.workers.failure import pack, unpack
from reprise.loading.workers.start import begin, pack_for_start, start_context
from reprise.loading.workers.worker import hold_to_one_thread, settle

Items = list[Item | None]


class Ask(NamedTuple):
    """A request for the next samples of a worker's lanes.

    Args:
        reading: Number of the reading, never used twice.
        most: Samples and ends of lanes to answer with; fewer where that is all.
        lanes: Shards of each lane, to begin a reading; None to go on with it.
        skip: Samples and ends of lanes to leave out at that beginning: a dead worker gave them.
    """

    reading: int
    most: int
    lanes: list[list[int]] | None = None
    skip: int = 0


def serve(hear: Callable[[], Ask | None], say: Callable[[Any], None], part: Part) -> None:
    """Life of a worker: answer with (reading, samples, error or None) until it hears None."""
    items: Iterator[Item | None] = iter(())
    while ask := hear():
        if ask.lanes is not None:
            items = in_turns([read_lane(part, shards) for shards in ask.lanes])
            items = islice(items, ask.skip, None)
        got: Items = []
        failure: BaseException | None = None
        try:
            got.extend(islice(items, ask.most))
            if ask.lanes is not None:  # now that the libraries it uses are imported
                hold_to_one_thread()
        except BaseException as error:
            failure = error
        say((ask.reading, got, failure))


class ThreadReader:
    """A worker that is a daemon thread: one that is stuck does not keep the program from ending."""

    def __init__(self, part: Part, number: int) -> None:
        self.name = f"thread {number}"
        asks: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.ask, self._answers = asks.put, answers
        told = asks.get, answers.put, part
        self._thread = threading.Thread(target=serve, args=told, daemon=True)
        self._thread.start()
        self._dismiss = weakref.finalize(self, asks.put, None)  # also if it is dropped unclosed

    def hear(self, timeout_s: float) -> tuple[int, Items, Exception | None] | None:
        """The next answer, or None if there is none in this time."""
        with contextlib.suppress(queue.Empty):
            return self._answers.get(timeout=timeout_s)
        return None

    def dismiss(self) -> None:
        """Let it end when it is through with what it is at."""
        self._dismiss()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)


class ProcessReader:
    """A worker process, from a clean start, without TensorFlow."""

    def __init__(self, part: Part, number: int) -> None:
        try:
            pickled = pack_for_start(part)
        except Exception as error:
            raise faults.not_picklable(part.source, error) from error
        self._connection, theirs = start_context().Pipe()
        self._process = start_context().Process(target=_work, args=(theirs, pickled), daemon=True)
        begin(self._process, pickled)
        theirs.close()
        self.name = f"process {self._process.pid}"

    def ask(self, ask: Ask) -> None:
        """Send a request; should the worker be dead, `hear` finds out."""
        with contextlib.suppress(OSError):
            self._connection.send(ask)

    def hear(self, timeout_s: float) -> tuple[int, Items, Exception | None] | None:
        """The next answer, or None if there is none in this time.

        Raises:
            EOFError, OSError: the process has ended.
        """
        if not self._connection.poll(timeout_s):
            return None
        reading, parcel, failure = self._connection.recv()
        return reading, unwrap(parcel), unpack(failure) if failure else None

    def dismiss(self) -> None:
        """Let it end when it is through with what it is at."""
        self._connection.close()

    def join(self, timeout_s: float) -> None:
        """Wait for its end, and then see to it."""
        if self._process.pid is not None and self._process.is_alive():
            self._process.join(timeout_s)
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.join()


def _work(connection: Connection, pickled: bytes) -> None:
    settle()

    def say(answer: tuple[int, Items, BaseException | None]) -> None:
        reading, items, failure = answer
        connection.send((reading, wrap(items), failure and pack(failure)))

    with contextlib.suppress(EOFError, OSError):  # the parent is done with us, or is gone
        try:
            part = pickle.loads(pickled)
        except BaseException as error:
            say((connection.recv().reading, [], error))
            return
        serve(connection.recv, say, part)
