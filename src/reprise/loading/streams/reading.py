"""One stream, read again and again by the caller itself or by workers, always in the same order."""

import os
import time
from collections.abc import Iterator
from itertools import count

from reprise.datasets.streams.part import Item, Part
from reprise.loading.streams.readers import Ask, ProcessReader, ThreadReader
from reprise.loading.streams.turns import LANES, in_turns, read_lane
from reprise.loading.workers import faults

_SLICE_S = 0.5  # how soon a wait notices that the loader was closed from another thread
_AT_ONCE = 64  # samples in an answer at most, however large a batch is


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
            number, readers = next(self._numbers), self._readers
            own = [lanes[at :: len(readers)] for at in range(len(readers))]
            said = [self._begin(*pair, number) for pair in zip(readers, own, strict=True)]
            items = in_turns([said[at % len(said)] for at in range(len(lanes))])
        return (item for item in items if item is not None)

    def close(self) -> None:
        """End the workers: those at work have a second."""
        self._closed = True
        for reader in self._readers:
            reader.dismiss()
        deadline = time.monotonic() + 1
        for reader in self._readers:
            reader.join(max(0, deadline - time.monotonic()))
        self._readers = []

    def _start(self) -> None:
        while len(self._readers) < self._workers:
            self._readers.append(self._kind(self._part, len(self._readers)))

    def _begin(
        self, reader: ProcessReader | ThreadReader, lanes: list[list[int]], number: int
    ) -> Iterator[Item | None]:
        """Ask at once, so that all workers are busy; give what comes when it is asked for."""
        reader.ask(Ask(number, self._most, lanes))
        for _ in range(self._ahead - 1):
            reader.ask(Ask(number, self._most))
        return self._answers(reader, number)

    def _answers(self, reader: ProcessReader | ThreadReader, number: int) -> Iterator[Item | None]:
        place, is_more = "its first sample", True
        while is_more:
            items, failure = self._await(reader, number, place)
            is_more = len(items) == self._most and not failure
            if is_more:
                reader.ask(Ask(number, self._most))
            for item in items:
                if item is not None:
                    name = self._part.source.shard_name(item.shard)
                    place = f"after sample {item.position} of {name}"
                yield item
            if failure:
                raise failure

    def _await(
        self, reader: ProcessReader | ThreadReader, number: int, place: str
    ) -> tuple[list[Item | None], BaseException | None]:
        waited_s = 0.0  # in slices, so that the time a stopped process (Ctrl-Z) sleeps is not in it
        while self._timeout_s is None or waited_s <= self._timeout_s:
            try:
                answer = reader.hear(_SLICE_S)
            except (EOFError, OSError):
                if not self._closed:
                    raise faults.reader_died(reader.name, place) from None
            if self._closed:
                raise RuntimeError("the loader was closed while a batch was awaited")
            if answer and answer[0] == number:
                return answer[1], answer[2]
            waited_s += 0 if answer else _SLICE_S
        raise faults.reader_stuck(reader.name, place, self._timeout_s)
