"""Reads the shards of a stream side by side, in this process or ahead in workers.

A worker is asked for a few chunks more than the consumer has had, which bounds the memory. It
answers in the order in which it was asked.
"""

import contextlib
import math
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.streams.split import Chunk, StreamSplit
from reprise.errors import UserError
from reprise.loading.process_start import WorkerProcess, pickle_for_start
from reprise.loading.worker import (
    CRASH,
    MORE_TIME,
    limit_to_one_thread,
    pack_error,
    set_up_process,
    unpack_error,
)

_READERS = 16  # shards that are open at one time
_ROWS = 64  # samples in a worker's answer at most, however large a batch is
_WAIT_S = 0.5  # how soon a wait notices that the loader was closed from another thread
_FATAL = 4  # deaths in a row at one place: the first may be chance, three more are not

Request = tuple[int, Sequence[int] | None, int]  # reader; shards to begin with; chunks to skip


@dataclass(eq=False)
class _Reader:
    """Some shards that are read one after the other, as the consumer sees them.

    Args:
        number: Its number.
        shards: Numbers of the shards.
        answers: Chunks that were not used yet; the last is None at the end, or an error.
        received: Chunks that came.
        is_begun: Its worker knows its shards.
        is_ended: Nothing more will come.
        place: What was received last, for messages.
    """

    number: int
    shards: Sequence[int]
    answers: deque[Chunk | Exception | None] = field(default_factory=deque)
    received: int = 0
    is_begun: bool = False
    is_ended: bool = False
    place: str = "its first sample"


class _WorkerThread:
    """A daemon thread at the other end of a pipe: a stuck one does not keep the program running."""

    def __init__(self, number: int, split: StreamSplit, rows: int) -> None:
        self.connection, theirs = Pipe()
        self.name = f"thread {number}"
        self._thread = threading.Thread(target=_serve, args=(theirs, split, rows), daemon=True)
        self._thread.start()

    def end(self, timeout_s: float = 0.0) -> None:
        """Close the pipe, at which the thread ends when it is done, and wait for a time."""
        self.connection.close()
        self._thread.join(timeout_s)


@dataclass(eq=False)
class _Worker:
    """A worker, its requests without an answer, and how often it died without one.

    Args:
        handle: The process or thread; another one once it has died.
        pending: The reader of each request, in their order.
        deaths: In a row.
    """

    handle: WorkerProcess | _WorkerThread
    pending: deque[_Reader] = field(default_factory=deque)
    deaths: int = 0


class StreamReaders:
    """Reads a split: this process, or workers that live until `close`.

    Args:
        split: What to read.
        batch_size: Samples in a batch.
        ahead: Batches that may wait for the consumer.
        workers: Number of workers; None takes none for a single shard, and else one for each core
            that this process may use; never more than there are shards to be read at a time.
        use_multiprocessing: Workers are processes; False makes them threads.
        timeout_s: Silence after which a worker counts as stuck; None waits for ever.
    """

    def __init__(
        self,
        split: StreamSplit,
        *,
        batch_size: int,
        ahead: int,
        workers: int | None,
        use_multiprocessing: bool,
        timeout_s: float | None,
    ) -> None:
        shards = split.source.num_shards
        if workers is None:
            workers = 0 if shards == 1 else len(os.sched_getaffinity(0))
        self._split, self._timeout_s = split, timeout_s
        self._use_multiprocessing = use_multiprocessing
        self._num_readers = max(1, min(_READERS, shards))
        self._num_workers = min(workers, self._num_readers)
        samples = batch_size * ahead / 2 if workers else batch_size
        self._rows = min(_ROWS, math.ceil(samples / self._num_readers))
        self._requests = math.ceil(batch_size * ahead / (self._num_readers * self._rows))
        self._pickled = b""
        self._workers: list[_Worker] = []
        self._readers: list[_Reader] = []
        self._closed = False

    @property
    def producer(self) -> str:
        """Names of the workers, or 'this process'."""
        return ", ".join(worker.handle.name for worker in self._workers) or "this process"

    def read(self, order: np.ndarray) -> list[Iterator[Sample]]:
        """Read all shards; a reading that was begun before is given up.

        Args:
            order: Numbers of the shards, shape (shards,).

        Returns:
            At most 16 iterators of x and y with a leading axis, over the shards 0, 16, 32, … of
            that order, the shards 1, 17, 33, … and so on.
        """
        shards = [order[at :: self._num_readers].tolist() for at in range(self._num_readers)]
        if not self._num_workers:
            return [map(_sample, _read(self._split, own, self._rows)) for own in shards]
        for number in range(len(self._workers), self._num_workers):
            self._workers.append(_Worker(self._start(number)))
        self._readers = [_Reader(number, own) for number, own in enumerate(shards)]
        for reader in self._readers:  # at once, so that all workers are busy
            self._ask(reader)
        return [map(_sample, self._chunks(reader)) for reader in self._readers]

    def close(self) -> None:
        """End the workers: those at work have a second."""
        if self._closed:
            return
        self._closed = True
        for worker in self._workers:
            worker.handle.connection.close()
        deadline = time.monotonic() + 1
        for worker in self._workers:
            worker.handle.end(max(0, deadline - time.monotonic()))

    def _start(self, number: int) -> WorkerProcess | _WorkerThread:
        if not self._use_multiprocessing:
            return _WorkerThread(number, self._split, self._rows)
        if not self._pickled:
            self._pickled = pickle_for_start(self._split, type(self._split.source).__qualname__)
        return WorkerProcess(_serve_in_process, self._pickled, self._rows)

    def _ask(self, reader: _Reader) -> None:
        """Ask for chunks ahead; should the worker be dead, the next wait for it finds out."""
        worker = self._worker_of(reader)
        missing = self._requests - len(reader.answers) - worker.pending.count(reader)
        for _ in range(0 if reader.is_ended else missing):
            begin = None if reader.is_begun else reader.shards
            request: Request = reader.number, begin, reader.received
            reader.is_begun = True
            worker.pending.append(reader)
            with contextlib.suppress(OSError):
                worker.handle.connection.send(request)

    def _worker_of(self, reader: _Reader) -> _Worker:
        return self._workers[reader.number % self._num_workers]

    def _chunks(self, reader: _Reader) -> Iterator[Chunk]:
        while True:
            while not reader.answers:
                self._receive(self._worker_of(reader))
            answer = reader.answers.popleft()
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                return
            self._ask(reader)
            yield answer

    def _receive(self, worker: _Worker) -> None:
        """Wait for the next answer of a worker, or replace it if it has ended."""
        connection, waited_s = worker.handle.connection, 0.0
        try:
            # In slices, so that the time that a stopped process (Ctrl-Z) sleeps does not count.
            while not connection.poll(_WAIT_S):
                waited_s += _WAIT_S
                if self._timeout_s is not None and waited_s > self._timeout_s:
                    raise UserError(
                        f"the stream gave nothing for {self._timeout_s:g} s",
                        f"a batch within loader.timeout_s={self._timeout_s:g}",
                        f"the {worker.handle.name} is still reading {worker.pending[0].place}",
                        MORE_TIME,
                    )
            chunk, error = connection.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        worker.deaths = 0
        reader = worker.pending.popleft()
        if reader.is_ended:
            return
        reader.answers.append(unpack_error(error) if error else chunk)
        reader.is_ended = chunk is None
        if chunk is not None:
            name = self._split.source.shard_name(chunk.shard)
            reader.received += 1
            reader.place = f"after sample {chunk.positions[-1]} of {name}"

    def _replace(self, worker: _Worker) -> None:
        if self._closed:
            raise RuntimeError("the loader was closed while a batch was awaited")
        worker.deaths += 1
        if worker.deaths == _FATAL:
            who = f"the {worker.handle.name}, which reads the stream,"
            raise UserError(
                f"{who} has ended by itself, as {_FATAL - 1} before it",
                "a source that can be read",
                f"{_FATAL} worker processes that ended {worker.pending[0].place}",
                CRASH,
            )
        worker.handle.end()
        worker.handle = self._start(self._workers.index(worker))
        worker.pending.clear()
        for reader in self._readers:
            if self._worker_of(reader) is worker:
                reader.is_begun = False
                self._ask(reader)


def _sample(chunk: Chunk) -> Sample:
    return chunk.x, chunk.y


def _read(split: StreamSplit, shards: Sequence[int], rows: int) -> Iterator[Chunk]:
    return chain.from_iterable(split.chunks(shard, rows) for shard in shards)


def _cut(chunks: Iterator[Chunk], rows: int) -> Iterator[Chunk]:
    """The same samples, at most `rows` in a chunk: a source's own blocks may have any length."""
    for chunk in chunks:
        for at in range(0, len(chunk.x), rows):
            yield Chunk(chunk.shard, *(array[at : at + rows] for array in chunk[1:]))


def _serve(connection: Connection, split: StreamSplit, rows: int) -> None:
    """Answer each request with a chunk (None at the end) and an error, until the pipe is closed."""
    readers: dict[int, Iterator[Chunk]] = {}
    with contextlib.suppress(EOFError, OSError):
        while True:
            reader, shards, skip = connection.recv()
            chunk, error = None, None
            try:
                if shards is not None:
                    readers[reader] = islice(_cut(_read(split, shards, rows), rows), skip, None)
                chunk = next(readers[reader], None)
                if shards is not None:  # now that the libraries it uses are imported
                    limit_to_one_thread()
            except BaseException as raised:
                error = pack_error(raised)
            connection.send((chunk, error))


def _serve_in_process(connection: Connection, pickled: bytes, rows: int) -> None:
    set_up_process()
    with contextlib.suppress(EOFError, OSError):  # the parent has closed the pipe, or has ended
        try:
            split = pickle.loads(pickled)
        except BaseException as error:
            connection.recv()
            connection.send((None, pack_error(error)))
            return
        _serve(connection, split, rows)
