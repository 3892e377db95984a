"""Reads the shards of a stream in turns, in this process or ahead in workers.

A worker is asked for a few chunks more than the consumer has had, which bounds the memory. It
answers in the order in which it was asked.
"""

import contextlib
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.streams.split import Chunk, StreamSplit
from reprise.loading.workers import faults
from reprise.loading.workers.failure import Packed, pack, unpack
from reprise.loading.workers.start import begin, pack_for_start, start_context
from reprise.loading.workers.worker import hold_to_one_thread, settle

_READERS = 16  # shards that are open at one time
_ROWS = 64  # samples in a worker's answer at most, however large a batch is
_SLICE_S = 0.5  # how soon a wait notices that the loader was closed from another thread
_CLOSED = "the loader was closed while a batch was awaited"
_FATAL = 4  # deaths in a row at one place: the first may be chance, three more are not


class Request(NamedTuple):
    """A request for the next chunk of a reader.

    Args:
        reader: Number of the reader.
        shards: What it reads, to begin anew; None to go on.
        skip: Chunks to leave out at the beginning, which a dead worker has sent.
    """

    reader: int
    shards: Sequence[int] | None
    skip: int


@dataclass(eq=False)
class _Reader:
    """Some shards, read one after the other, as the consumer sees them.

    Args:
        number: Its number in the turns.
        shards: Numbers of the shards.
        answers: Chunks that nobody has used yet; an error, or None for the end, is the last.
        received: Number of chunks that came.
        is_begun: Whether the worker has heard of it.
        place: Where it is, for messages.
    """

    number: int
    shards: Sequence[int]
    answers: deque[Chunk | Exception | None] = field(default_factory=deque)
    received: int = 0
    is_begun: bool = False
    is_ended: bool = False
    place: str = "its first sample"


class _Worker:
    """A thread or process that reads, and the requests that it has not answered.

    A thread is a daemon: one that is stuck does not keep the program from ending.
    """

    def __init__(self, split: StreamSplit, rows: int, number: int, is_process: bool) -> None:
        self.connection, theirs = start_context().Pipe()
        self.pending: deque[_Reader] = deque()
        self.deaths = 0
        self._process = None
        if not is_process:
            self.name = f"thread {number}"
            self._thread = threading.Thread(target=serve, args=(theirs, split, rows), daemon=True)
            self._thread.start()
            return
        try:
            pickled = pack_for_start(split)
        except Exception as error:
            raise faults.not_picklable(split.source, error) from error
        self._process = start_context().Process(
            target=_serve_in_process, args=(theirs, pickled, rows), daemon=True
        )
        begin(self._process, pickled)
        theirs.close()
        self.name = f"process {self._process.pid}"

    def ask(self, reader: _Reader) -> None:
        """Ask for a reader's next chunk; should the worker be dead, the next wait finds out."""
        shards, skip = (None, 0) if reader.is_begun else (reader.shards, reader.received)
        reader.is_begun = True
        self.pending.append(reader)
        with contextlib.suppress(OSError):
            self.connection.send(Request(reader.number, shards, skip))

    def join(self, timeout_s: float) -> None:
        """Wait for its end; a process is killed if it does not come."""
        if self._process is None:
            self._thread.join(timeout_s)
        elif self._process.pid is not None and self._process.is_alive():
            self._process.join(timeout_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.join()


class StreamReaders:
    """Reads a split: this process, or workers that live until `close`.

    Args:
        split: What to read.
        ahead: Samples that may wait for the consumer.
        rows: Samples in a batch.
        workers: Number of workers; None takes none for a single shard, and else one for each core
            that this process may use; never more than there are shards to be read at a time.
        use_multiprocessing: Workers are processes; False makes them threads.
        timeout_s: Silence after which a worker counts as stuck; None waits for ever.
    """

    def __init__(
        self,
        split: StreamSplit,
        *,
        ahead: int,
        rows: int,
        workers: int | None,
        use_multiprocessing: bool,
        timeout_s: float | None,
    ) -> None:
        shards = split.source.num_shards
        if workers is None:
            workers = 0 if shards == 1 else len(os.sched_getaffinity(0))
        self._split, self._timeout_s = split, timeout_s
        self._count = max(1, min(_READERS, shards))
        self._num_workers = min(workers, self._count)
        self._is_process = use_multiprocessing
        wanted = -(-ahead // (2 * self._count)) if workers else -(-rows // self._count)
        self._rows = min(_ROWS, wanted)
        self._requests = -(-ahead // (self._count * self._rows))
        self._workers: list[_Worker] = []
        self._readers: list[_Reader] = []
        self._closed = False

    @property
    def producer(self) -> str:
        """Who reads."""
        return ", ".join(worker.name for worker in self._workers) or "this process"

    def read(self, order: np.ndarray) -> Iterator[Sample]:
        """Read the shards in turns; a reading that was begun before is given up.

        Args:
            order: Numbers of the shards, shape (shards,). The first 16 are read one sample at a
                time in turns, and shard 16 + i follows shard i.
        """
        shards = [order[at :: self._count].tolist() for at in range(self._count)]
        if not self._num_workers:
            chunks = [_read(self._split, own, self._rows) for own in shards]
            return round_robin([((chunk.x, chunk.y) for chunk in own) for own in chunks])
        while len(self._workers) < self._num_workers:
            number = len(self._workers)
            self._workers.append(_Worker(self._split, self._rows, number, self._is_process))
        self._readers = [_Reader(number, own) for number, own in enumerate(shards)]
        for reader in self._readers:  # at once, so that all workers are busy
            self._ask(reader)
        return round_robin([self._samples(reader) for reader in self._readers])

    def close(self) -> None:
        """End the workers: those at work have a second."""
        self._closed = True
        for worker in self._workers:
            worker.connection.close()
        deadline = time.monotonic() + 1
        for worker in self._workers:
            worker.join(max(0, deadline - time.monotonic()))

    def _ask(self, reader: _Reader) -> None:
        worker = self._workers[reader.number % self._num_workers]
        while not reader.is_ended and (
            len(reader.answers) + worker.pending.count(reader) < self._requests
        ):
            worker.ask(reader)

    def _samples(self, reader: _Reader) -> Iterator[Sample]:
        while True:
            while not reader.answers:
                self._receive(reader.number % self._num_workers)
            answer = reader.answers.popleft()
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                return
            self._ask(reader)
            yield answer.x, answer.y

    def _receive(self, number: int) -> None:
        """Wait for the next answer of a worker; put another one in its place if it has ended."""
        worker, waited_s = self._workers[number], 0.0
        try:
            # In slices, so that the time that a stopped process (Ctrl-Z) sleeps does not count.
            while not worker.connection.poll(_SLICE_S):
                waited_s += _SLICE_S
                if self._timeout_s is not None and waited_s > self._timeout_s:
                    place = worker.pending[0].place
                    raise faults.reader_stuck(worker.name, place, self._timeout_s)
            chunk, failure = worker.connection.recv()
        except (EOFError, OSError):
            if self._closed:
                raise RuntimeError(_CLOSED) from None
            self._replace(number)
            return
        reader, worker.deaths = worker.pending.popleft(), 0
        if reader.is_ended:
            return
        reader.answers.append(unpack(failure) if failure else chunk)
        reader.is_ended = chunk is None
        if chunk is not None:
            name = self._split.source.shard_name(chunk.shard)
            reader.received += 1
            reader.place = f"after sample {chunk.positions[-1]} of {name}"

    def _replace(self, number: int) -> None:
        dead = self._workers[number]
        deaths, place = dead.deaths + 1, dead.pending[0].place
        if deaths == _FATAL:
            raise faults.reader_died(dead.name, place, deaths)
        dead.connection.close()
        dead.join(0)
        worker = _Worker(self._split, self._rows, number, self._is_process)
        worker.deaths, self._workers[number] = deaths, worker
        for reader in self._readers[number :: self._num_workers]:
            reader.is_begun = False
            self._ask(reader)


def round_robin(readers: Sequence[Iterator[Sample]]) -> Iterator[Sample]:
    """One sample of each reader in turn, until all have ended; as many at a time as are there.

    Args:
        readers: Each yields x and y with a leading axis, of any length but 0.
    """
    waiting = {number: (np.empty(0), np.empty(0)) for number in range(len(readers))}
    while waiting:
        for number, (x, _) in list(waiting.items()):
            if not len(x):
                samples = next(readers[number], None)
                if samples is None:
                    del waiting[number]
                else:
                    waiting[number] = samples
        if waiting:
            rows = min(len(x) for x, _ in waiting.values())
            yield (
                _interleaved([x[:rows] for x, _ in waiting.values()]),
                _interleaved([y[:rows] for _, y in waiting.values()]),
            )
            waiting = {number: (x[rows:], y[rows:]) for number, (x, y) in waiting.items()}


def _interleaved(arrays: Sequence[np.ndarray]) -> np.ndarray:
    if len(arrays) == 1:
        return arrays[0]
    return np.stack(arrays, axis=1).reshape(-1, *arrays[0].shape[1:])


def _read(split: StreamSplit, shards: Sequence[int], rows: int) -> Iterator[Chunk]:
    return chain.from_iterable(split.chunks(shard, rows) for shard in shards)


def _cut(chunks: Iterator[Chunk], rows: int) -> Iterator[Chunk]:
    """The same samples, at most `rows` in a chunk: a source's own blocks may have any length."""
    for chunk in chunks:
        for at in range(0, len(chunk.x), rows):
            yield Chunk(chunk.shard, *(array[at : at + rows] for array in chunk[1:]))


def serve(connection: Connection, split: StreamSplit, rows: int) -> None:
    """Answer each request with a chunk (None at the end) and an error, until the pipe is closed."""
    readers: dict[int, Iterator[Chunk]] = {}
    with contextlib.suppress(EOFError, OSError):
        while True:
            request: Request = connection.recv()
            failure: Packed | None = None
            chunk = None
            try:
                if request.shards is not None:
                    chunks = _cut(_read(split, request.shards, rows), rows)
                    readers[request.reader] = islice(chunks, request.skip, None)
                chunk = next(readers[request.reader], None)
                if request.shards is not None:  # now that the libraries it uses are imported
                    hold_to_one_thread()
            except BaseException as error:
                failure = pack(error)
            connection.send((chunk, failure))


def _serve_in_process(connection: Connection, pickled: bytes, rows: int) -> None:
    settle()
    with contextlib.suppress(EOFError, OSError):  # the parent is done with us, or is gone
        try:
            split = pickle.loads(pickled)
        except BaseException as error:
            connection.recv()
            connection.send((None, pack(error)))
            return
        serve(connection, split, rows)
