"""The endless stream of batches of one split of a stream."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, count, islice

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.stream import Stream
from reprise.datasets.streams.part import Part
from reprise.loading.order import SPLITS
from reprise.loading.streams.batching import collate, shuffled
from reprise.loading.streams.blocks import rebatched, shuffled_blocks
from reprise.loading.streams.reading import Reading
from reprise.loading.streams.turns import lanes_of

Batch = tuple[int, Callable[[], Sample]]  # number of samples, and what makes one array of them
_NONE: Batch = 0, lambda: (np.empty(0), np.empty(0))


class Streaming:
    """Batches made of samples as they pass: a pure function of seed, split and step.

    Args:
        stream: How to shuffle and pad.
        part: What to read.
        split: 'train' is shuffled anew in every pass; 'valid' and 'test' keep their own order.
        seed: 0 or more.
        batch_size: Rows of every batch but a pass's last, which is short where it must be.
        reading: Who reads.
    """

    def __init__(
        self,
        stream: Stream,
        part: Part,
        *,
        split: str,
        seed: int,
        batch_size: int,
        reading: Reading,
    ) -> None:
        self._stream, self._part, self._reading = stream, part, reading
        self._split, self._seed, self._batch_size = split, seed, batch_size
        specs = part.source.input_spec, part.source.target_spec
        self._specs, self._padding = specs, (stream.padding(specs[0]), stream.padding(specs[1]))

    @property
    def steps_per_pass(self) -> int:
        """Batches in a pass; where nobody has counted the samples yet, they are read once."""
        if self._part.num_samples is None:
            self._part.count()
        return -(-(self._part.num_samples or 0) // self._batch_size)

    def run(self, start: int, stop: int | None) -> Iterator[tuple[str, Sample]]:
        """The batches from `start` up to `stop`, endless when it is None; who read, and the batch.

        Those before `start` are read and dropped, whole passes excepted where the number of samples
        is known.

        Raises:
            UserError: a pass gives no sample, or not as many as the one before.
        """
        steps = self.steps_per_pass if self._part.num_samples else start + 1
        first, skipped = divmod(start, steps)
        if skipped:
            said = f"a stream cannot jump to step {start}: {skipped} batches are read and dropped"
            print(f"note: {said}, which takes time", file=sys.stderr, flush=True)
        step = first * steps
        for _, make in chain.from_iterable(map(self._batches, count(first))):
            if step == stop:
                return
            if step >= start:
                yield self._reading.producer, make()
            step += 1

    def close(self) -> None:
        """End the workers."""
        self._reading.close()

    def _batches(self, turn: int) -> Iterator[Batch]:
        """One pass."""
        batches, samples = self._pass(turn), 0
        batch = next(batches, _NONE)
        while True:
            samples += batch[0]
            following = next(batches, _NONE)
            # Looked at now, since nobody may ask for more than what should be the last batch.
            if not following[0] or samples >= (self._part.num_samples or samples + 1):
                self._part.counted(samples + following[0])
            yield batch
            if not following[0]:
                return
            batch = following

    def _pass(self, turn: int) -> Iterator[Batch]:
        order, size = np.arange(self._part.source.num_shards), self._stream.shuffle_buffer
        rng = None
        if self._split == "train":
            rng = np.random.default_rng([self._seed, SPLITS[self._split], turn, 0, 2])
            order = rng.permutation(order)
        blocks = self._reading.read_blocks()
        if blocks is not None:
            blocks = shuffled_blocks(blocks, size, rng) if rng else blocks
            for x, y in rebatched(blocks, self._batch_size):
                yield len(x), partial(_pair, x, y)
            return
        items = self._reading.read(lanes_of(order))
        items = shuffled(items, size, rng) if rng else items
        while batch := list(islice(items, self._batch_size)):
            yield len(batch), partial(collate, batch, self._specs, self._padding)


def _pair(x: np.ndarray, y: np.ndarray) -> Sample:
    return x, y
