"""One stream, read again and again by the caller itself or by workers, always in the same order."""

import os
import time
from collections.abc import Iterator
from itertools import count

from reprise.datasets.base import Sample
from reprise.datasets.streams.part import Item, Part
from reprise.loading.streams.readers import Ask, ProcessReader, ThreadReader
from reprise.loading.streams.turns import LANES, in_turns, read_lane
from reprise.loading.workers import faults

_SLICE_S = 0.5  # how soon a wait notices that the loader was closed from another thread
_AT_ONCE = 64  # samples in an answer at most, however large a batch is
_CLOSED = "the loader was closed while a batch was awaited"
_FATAL = 4  # deaths in a row at one place: the first may be chance, three more are not


class Reading:
    """Who reads a split: nobody but the caller, or workers that live until `close`.

    Args:
        part: What to read.
        ahead: Samples that may wait for the consumer.
        workers: Number of workers; None takes none for a single shard, and else one for each core
            that this process may use; never more than there are lanes.
        use_multiprocessing: Workers are processes; False makes them threads.
        timeout_s: Silence after which a worker counts as stuck; None waits for ever.
    """

    def __init__(
        self,
        part: Part,
        *,
        ahead: int,
        workers: int | None,
        use_multiprocessing: bool,
        timeout_s: float | None,
    ) -> None:
        shards = part.source.num_shards
        if workers is None:
            workers = 0 if shards == 1 else len(os.sched_getaffinity(0))
        self._part, self._timeout_s = part, timeout_s
        self._workers = min(workers, shards, LANES)
        self._kind = ProcessReader if use_multiprocessing else ThreadReader
        self._most = min(_AT_ONCE, -(-ahead // max(1, 2 * self._workers)))
        self._ahead = max(1, -(-ahead // (max(1, self._workers) * self._most)))
        self._readers: list[ProcessReader | ThreadReader] = []
        self._numbers, self._closed = count(), False

    @property
    def producer(self) -> str:
        """Who reads."""
        return ", ".join(reader.name for reader in self._readers) or "this process"

    def read(self, lanes: list[list[int]]) -> Iterator[Item]:
        """Read these lanes in turns; a reading that was begun before is given up."""
        if not self._workers:
            items = in_turns([read_lane(self._part, shards) for shards in lanes])
        else:
            self._start()
            number, count = next(self._numbers), self._workers
            said = [self._begin(at, lanes[at::count], number) for at in range(count)]
            items = in_turns([said[at % len(said)] for at in range(len(lanes))])
        return (item for item in items if item is not None)

    def read_blocks(self) -> Iterator[Sample] | None:
        """The same, many at a time; None if a worker reads, or if the source cannot."""
        return None if self._workers else self._part.blocks()

    def close(self) -> None:
        """End the workers: those at work have a second."""
        self._closed = True
        for reader in self._readers:
            reader.dismiss()
        deadline = time.monotonic() + 1
        for reader in self._readers:
            reader.join(max(0, deadline - time.monotonic()))

    def _start(self) -> None:
        while len(self._readers) < self._workers:
            self._readers.append(self._kind(self._part, len(self._readers)))

    def _begin(self, at: int, lanes: list[list[int]], number: int) -> Iterator[Item | None]:
        """Ask at once, so that all workers are busy; give what comes when it is asked for."""
        self._ask(at, lanes, number)
        return self._answers(at, lanes, number)

    def _ask(self, at: int, lanes: list[list[int]], number: int, skip: int = 0) -> None:
        self._readers[at].ask(Ask(number, self._most, lanes, skip))
        for _ in range(self._ahead - 1):
            self._readers[at].ask(Ask(number, self._most))

    def _answers(self, at: int, lanes: list[list[int]], number: int) -> Iterator[Item | None]:
        """What worker `at` reads; should it die, another one reads on from where it was."""
        given, deaths, place, is_more = 0, 0, "its first sample", True
        while is_more:
            try:
                items, failure = self._await(self._readers[at], number, place)
            except (EOFError, OSError):
                deaths += 1
                self._replace(at, deaths, place)
                self._ask(at, lanes, number, skip=given)
                continue
            given, deaths = given + len(items), 0
            is_more = len(items) == self._most and not failure
            if is_more:
                self._readers[at].ask(Ask(number, self._most))
            for item in items:
                if item is not None:
                    name = self._part.source.shard_name(item.shard)
                    place = f"after sample {item.position} of {name}"
                yield item
            if failure:
                raise failure

    def _replace(self, at: int, deaths: int, place: str) -> None:
        dead = self._readers[at]
        if self._closed:
            raise RuntimeError(_CLOSED)
        if deaths == _FATAL:
            raise faults.reader_died(dead.name, place, deaths)
        dead.dismiss()
        dead.join(0)
        self._readers[at] = self._kind(self._part, at)

    def _await(
        self, reader: ProcessReader | ThreadReader, number: int, place: str
    ) -> tuple[list[Item | None], BaseException | None]:
        waited_s = 0.0  # in slices, so that the time a stopped process (Ctrl-Z) sleeps is not in it
        while self._timeout_s is None or waited_s <= self._timeout_s:
            answer = reader.hear(_SLICE_S)
            if self._closed:
                raise RuntimeError(_CLOSED)
            if answer and answer[0] == number:
                return answer[1], answer[2]
            waited_s += 0 if answer else _SLICE_S
        raise faults.reader_stuck(reader.name, place, self._timeout_s)
