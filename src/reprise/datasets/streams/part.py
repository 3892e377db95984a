"""One split of a stream: which samples of a source are in it, found as they pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.streams.announced import as_announced, require_announced
from reprise.datasets.streams.kept import Kept
from reprise.datasets.streams.lots import draw_lots
from reprise.datasets.streams.patience import with_word
from reprise.datasets.streams.source import Source
from reprise.errors import UserError


class Item(NamedTuple):
    """One sample of a stream, and where it stands.

    Args:
        shard: Number of its shard.
        position: Its number in the shard, from 0, whatever its split.
        x: Input, as the source announces it.
        y: Target.
    """

    shard: int
    position: int
    x: np.ndarray
    y: np.ndarray


@dataclass(eq=False)
class Part:
    """The samples of a source whose lot falls to one split.

    Args:
        split: 'train', 'valid' or 'test'.
        source: Where the samples come from.
        low: Smallest lot of this split.
        high: Lot it stays below.
        seed: Moves samples between splits.
        num_samples: How many there are; None until they were counted.
    """

    split: str
    source: Source
    low: float = 0.0
    high: float = 1.0
    seed: int = 0
    num_samples: int | None = None

    def samples(self, shard: int) -> Iterator[Item]:
        """Read the split's samples of one shard, in their order.

        Raises:
            UserError: a sample is not what the source announces; the message names it.
            Exception: whatever the source raises, with a note that says where.
        """
        done = 0
        try:
            lots = chain.from_iterable(some.tolist() for some in draw_lots(self.seed, shard))
            for (x, y), lot in zip(self.source.samples(shard), lots, strict=False):
                if self.low <= lot < self.high:
                    yield self._item(shard, done, x, y)
                done += 1
        except Exception as error:
            if not isinstance(error, UserError):  # which says itself where
                error.add_note(f"in {self.source.shard_name(shard)}, after {done} samples")
            raise

    def blocks(self) -> Iterator[Sample] | None:
        """The split's samples, many at a time; None for a source that cannot, or has shards."""
        blocks = self.source.blocks(0) if self.source.num_shards == 1 else None
        return None if blocks is None else self._own(blocks)

    def __iter__(self) -> Iterator[Item]:
        """Read all of the split's samples, shard after shard."""
        return (item for shard in range(self.source.num_shards) for item in self.samples(shard))

    def count(self) -> int:
        """The number of samples, by reading them all.

        Raises:
            UserError: none at all, or not as many as before.
        """
        blocks = self.blocks()
        sizes = (len(x) for x, _ in blocks) if blocks else (1 for _ in self)
        number = sum(with_word(sizes, f"counting the split '{self.split}' of the stream"))
        self.counted(number)
        return number

    def record(self) -> dict[str, Any]:
        """What a run writes down of the split; counts the samples of splits that are read whole."""
        if self.num_samples is None and self.split != "train":  # which may be endless
            self.count()
        rule = f"samples whose lot of seed {self.seed} is from {self.low:g} to below {self.high:g}"
        return {"num_samples": self.num_samples, "rule": rule}

    def first(self, most: int) -> "Part":
        """A split of this one's first samples, kept in memory; all of them where it has fewer."""
        kept = [(item.x, item.y) for item in islice(self, most)]
        return Part(self.split, Kept(self.source, kept))

    def counted(self, num_samples: int) -> None:
        """Take note that a whole pass gave so many samples.

        Raises:
            UserError: none at all, or not as many as before.
        """
        kind = type(self.source).__qualname__
        if num_samples == 0:
            raise UserError(
                f"the split '{self.split}' of the stream is empty",
                "at least one sample",
                f"none from {kind}",
                f"give dataset.split.{self.split} more, or look at what {kind} yields",
            )
        if self.num_samples not in (None, num_samples):
            raise UserError(
                f"the split '{self.split}' of the stream has changed",
                f"{self.num_samples} samples, as before",
                f"{num_samples} samples",
                f"bring the data back to what it was, or have {kind} yield the same samples "
                "whenever it is asked",
            )
        self.num_samples = num_samples

    def _own(self, blocks: Iterator[Sample]) -> Iterator[Sample]:
        lots, waiting, done = draw_lots(self.seed, 0), np.empty(0), 0
        for x, y in blocks:
            while len(waiting) < len(x):
                waiting = np.concatenate([waiting, next(lots)])
            own = (self.low <= waiting[: len(x)]) & (waiting[: len(x)] < self.high)
            place = f"{self.source.shard_name(0)}, sample", done
            require_announced(x, self.source.input_spec, *place, "x")
            require_announced(y, self.source.target_spec, *place, "y")
            waiting, done = waiting[len(x) :], done + len(x)
            yield x[own], y[own]

    def _item(self, shard: int, position: int, x: Any, y: Any) -> Item:
        source, name = self.source, f"{self.source.shard_name(shard)}, sample {position}"
        return Item(
            shard,
            position,
            as_announced(x, source.input_spec, f"{name}: x"),
            as_announced(y, source.target_spec, f"{name}: y"),
        )
