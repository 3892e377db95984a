"""The endless stream of batches of one split of a stream: read, shuffled in a buffer, padded."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.stream import Stream
from reprise.datasets.streams.split import StreamSplit
from reprise.loading.order import SPLITS
from reprise.loading.stream_readers import StreamReaders
from reprise.spec import Spec

_DRAWN = 1024  # random numbers at a time


class StreamBatches:
    """Batches of a stream's split: a pure function of seed, split and step.

    Args:
        stream: How to shuffle and pad.
        data: What to read.
        split: 'train' is shuffled anew in every pass; 'valid' and 'test' keep their own order.
        seed: 0 or more.
        batch_size: Rows of every batch but a pass's last, which is short where it must be.
        readers: Reads the shards.
    """

    def __init__(
        self,
        stream: Stream,
        data: StreamSplit,
        *,
        split: str,
        seed: int,
        batch_size: int,
        readers: StreamReaders,
    ) -> None:
        self._stream, self._data, self._readers = stream, data, readers
        self._split, self._seed, self._batch_size = split, seed, batch_size

    @property
    def steps_per_pass(self) -> int:
        """Batches in a pass; samples that were not counted yet are read once for it."""
        return -(-(self._data.num_samples or self._data.count()) // self._batch_size)

    def run(self, start: int, stop: int | None) -> Iterator[tuple[str, Sample]]:
        """Yield the batches from `start` up to `stop` (None: endless), each with its producer.

        Those before `start` are read and dropped, but for whole passes of a known length.

        Raises:
            UserError: a pass gives no sample, or not as many as the one before.
        """
        steps = self.steps_per_pass if self._data.num_samples else start + 1
        first, skipped = divmod(start, steps)
        if skipped:
            said = f"a stream cannot jump to step {start}: {skipped} batches are read and dropped"
            print(f"note: {said}, which takes time", file=sys.stderr, flush=True)
        specs = self._data.source.input_spec, self._data.source.target_spec
        step = first * steps
        for x, y in chain.from_iterable(map(self._pass, count(first))):
            if step == stop:
                return
            if step >= start:
                x, y = (self._padded(*part) for part in zip((x, y), specs, strict=True))
                yield self._readers.producer, (x, y)
            step += 1

    def close(self) -> None:
        """End the workers."""
        self._readers.close()

    def _pass(self, number: int) -> Iterator[Sample]:
        """The batches of one pass, not padded yet."""
        shards, rng = np.arange(self._data.source.num_shards), None
        if self._split == "train":
            rng = np.random.default_rng([self._seed, SPLITS[self._split], number, 0, 2])
            shards = rng.permutation(shards)
        samples = round_robin(self._readers.read(shards))
        if rng is not None:
            samples = shuffled(samples, self._stream.shuffle_buffer, rng)
        batches, num_samples = rebatched(samples, self._batch_size), 0
        batch = next(batches, None)
        if batch is None:
            self._data.counted(0)
        while batch is not None:
            following = next(batches, None)
            num_samples += len(batch[0])
            # Checked before the last batch is yielded, since none may be asked for after it.
            if following is None or num_samples == self._data.num_samples:
                self._data.counted(num_samples + (0 if following is None else len(following[0])))
            yield batch
            batch = following

    def _padded(self, rows: np.ndarray, spec: Spec) -> np.ndarray:
        if None not in spec.shape:
            return rows
        longest = np.max([array.shape for array in rows], axis=0)
        batch = np.full((len(rows), *longest), self._stream.padding(spec), spec.dtype)
        for row, array in zip(batch, rows, strict=True):
            row[tuple(map(slice, array.shape))] = array
        return batch


def round_robin(readers: Sequence[Iterator[Sample]]) -> Iterator[Sample]:
    """One sample of each reader in turn, until all have ended; as many at a time as are there.

    Args:
        readers: Each yields x and y with a leading axis, of any length but 0.
    """
    waiting: dict[int, Sample] = {at: (np.empty(0), np.empty(0)) for at in range(len(readers))}
    while True:
        for at in [at for at, (x, _) in waiting.items() if not len(x)]:
            if (samples := next(readers[at], None)) is None:
                del waiting[at]
            else:
                waiting[at] = samples
        if not waiting:
            return
        rows = min(len(x) for x, _ in waiting.values())
        yield (
            _interleaved([x[:rows] for x, _ in waiting.values()]),
            _interleaved([y[:rows] for _, y in waiting.values()]),
        )
        waiting = {at: (x[rows:], y[rows:]) for at, (x, y) in waiting.items()}


def _interleaved(arrays: Sequence[np.ndarray]) -> np.ndarray:
    if len(arrays) == 1:
        return arrays[0]
    return np.stack(arrays, axis=1).reshape(-1, *arrays[0].shape[1:])


def shuffled(chunks: Iterable[Sample], size: int, rng: np.random.Generator) -> Iterator[Sample]:
    """Mix samples within a buffer: each one that leaves it is drawn from `size` of them.

    The order depends on the generator alone, not on how the samples are cut into chunks.

    Args:
        chunks: x and y with a leading axis, of any length.
        size: Samples in the buffer; 1 keeps the order.
        rng: Source of the order.
    """
    source, first, rows = iter(chunks), [], 0
    for chunk in source:
        first.append(chunk)
        rows += len(chunk[0])
        if rows >= size:
            break
    if not first:
        return
    x, y = _joined(first)
    first.clear()
    buffer = x[:size], y[:size]
    places = np.empty(0, np.int64)
    for chunk in chain([(x[size:], y[size:])], source):
        rows = len(chunk[0])
        while len(places) < rows:
            # Reversed: the order in which a list of them would be popped, as runs have recorded.
            places = np.concatenate([places, rng.integers(size, size=_DRAWN)[::-1]])
        yield _exchanged(buffer, chunk, places[:rows])
        places = places[rows:]
    order = rng.permutation(len(buffer[0]))
    yield buffer[0][order], buffer[1][order]


def rebatched(chunks: Iterable[Sample], rows: int) -> Iterator[Sample]:
    """The same samples, `rows` at a time; the last chunk has what is left."""
    waiting: list[Sample] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(len(x) for x, _ in waiting) < rows:
            continue
        x, y = _joined(waiting)
        whole = len(x) // rows * rows
        for at in range(0, whole, rows):
            yield x[at : at + rows], y[at : at + rows]
        waiting = [(x[whole:], y[whole:])]
    if any(len(x) for x, _ in waiting):
        yield _joined(waiting)


def _exchanged(buffer: Sample, chunk: Sample, places: np.ndarray) -> Sample:
    """Put one row of `chunk` after the other at its place of the buffer; the rows that left it.

    Where a place is drawn twice, the row that leaves second is the one that came first.
    """
    order = np.argsort(places, kind="stable")
    again = places[order[1:]] == places[order[:-1]]
    later, earlier = order[1:][again], order[:-1][again]
    last = order[np.append(~again, True)] if len(order) else order
    left = []
    for kept, new in zip(buffer, chunk, strict=True):
        leaving = kept[places]
        leaving[later] = new[earlier]
        kept[places[last]] = new[last]
        left.append(leaving)
    return left[0], left[1]


def _joined(chunks: list[Sample]) -> Sample:
    return np.concatenate([x for x, _ in chunks]), np.concatenate([y for _, y in chunks])
