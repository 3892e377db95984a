"""One split of a stream: which samples of a source are in it, and reading them in chunks."""

import copy
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from threading import Timer
from typing import Any, NamedTuple

import numpy as np

from reprise.datasets.streams.checks import checked, fits, shown
from reprise.datasets.streams.source import Source
from reprise.errors import UserError

_Values = Sequence[Any] | np.ndarray  # one sample each; an array has a leading axis
_STRATA = 20  # neighbouring samples whose random numbers are spread evenly from 0 to 1
_GROUPS = 200  # of such neighbours, drawn at a time
ENDLESS = "a source without an end needs dataset.take=10000, samples of each shard that are a pass"
_ROWS = 64  # samples in a chunk, where nobody asks for another number


class Chunk(NamedTuple):
    """Samples of one shard that follow one another in their split.

    Args:
        shard: Number of the shard.
        positions: Their positions in the shard, over all splits, shape (rows,), int64.
        x: Inputs, shape (rows, …); of dtype object, an array each, where lengths differ.
        y: Targets, likewise.
    """

    shard: int
    positions: np.ndarray
    x: np.ndarray
    y: np.ndarray


@dataclass(eq=False)
class StreamSplit:
    """One split of a stream: the samples of a source whose random number lies in a range.

    A sample's number, from 0 to 1, is a pure function of seed, shard and position. Nothing is
    stored, and a source that grows at its end leaves its samples in their splits.

    Args:
        split: 'train', 'valid' or 'test'.
        source: Where the samples come from.
        low: Smallest random number of this split.
        high: Number it stays below.
        seed: Of the random numbers.
        num_samples: How many there are; None until they were counted.
        take: Samples of each shard in a pass, of all splits together; None: all.
        gone: Samples that are left out, each by the name of its shard and its position there.
    """

    split: str
    source: Source
    low: float = 0.0
    high: float = 1.0
    seed: int = 0
    num_samples: int | None = None
    take: int | None = None
    gone: frozenset[tuple[str, int]] = frozenset()

    def chunks(self, shard: int, rows: int = _ROWS) -> Iterator[Chunk]:
        """Read the split's samples of one shard, in their order.

        Args:
            shard: Number of the shard.
            rows: Samples to read at a time, where the source has no blocks of its own.

        Raises:
            UserError: a sample is not what the source announces; the message names it.
            Exception: whatever the source raises, with a note that says where.
        """
        name, position = self.source.shard_name(shard), 0
        place = sample_name(name, "").strip()
        gone = [at for of, at in self.gone if of == name]
        numbers, drawn = np.empty(0), _random_numbers(self.seed, shard)
        try:
            for x, y in self._groups(shard, rows):
                while len(numbers) < len(x):
                    numbers = np.concatenate([numbers, next(drawn)])
                is_own = (self.low <= numbers[: len(x)]) & (numbers[: len(x)] < self.high)
                if gone:
                    is_own &= ~np.isin(np.arange(position, position + len(x)), gone)
                own, numbers = np.flatnonzero(is_own), numbers[len(x) :]
                positions, position = position + own, position + len(x)
                if len(own):
                    yield Chunk(shard, positions, *self._checked(x, y, own, place, positions))
        except Exception as error:
            if not isinstance(error, UserError):  # which names the place itself
                error.add_note(f"in {self.source.shard_name(shard)}, after {position} samples")
            raise

    def __iter__(self) -> Iterator[Chunk]:
        """Read all of the split's samples, shard after shard."""
        return (chunk for shard in range(self.source.num_shards) for chunk in self.chunks(shard))

    def count(self) -> int:
        """The number of samples, by reading them all.

        Raises:
            UserError: none at all, or not as many as before.
        """
        chunks = announced(self, f"counting the split '{self.split}' of the stream")
        self.counted(sum(len(chunk.x) for chunk in chunks))
        assert self.num_samples is not None
        return self.num_samples

    def counted(self, num_samples: int) -> None:
        """Note that a whole pass gave this number of samples.

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

    def _groups(self, shard: int, rows: int) -> Iterator[tuple[_Values, _Values]]:
        """All samples of a shard, of whichever split: x and y of some that follow one another."""
        blocks, left = self.source.blocks(shard), self.take
        x, y, name = list[Any](), list[Any](), self.source.shard_name(shard)
        if blocks is not None:
            for block in blocks:
                x, y = _pair(block, "a block of {}", name)
                if len(x) != len(y):
                    raise UserError(
                        f"a block of {name} has not as many x as y",
                        "x and y with a leading axis of one length",
                        f"{len(x)} x and {len(y)} y",
                        "correct blocks()",
                    )
                yield x[:left], y[:left]
                if left is not None and (left := left - len(x)) <= 0:
                    return
            return
        try:
            for number, sample in enumerate(self._iterated(shard), start=1):
                one, other = _pair(sample, "{}, sample {}", name, number - 1)
                x.append(_kept(one))
                y.append(_kept(other))
                if number == left:
                    break
                if len(x) == rows:
                    yield x, y
                    x, y = [], []
        except Exception:
            yield x, y  # what was read before the error comes before it
            raise
        yield x, y

    def _iterated(self, shard: int) -> Iterator[Any]:
        samples = self.source.samples(shard)
        if not isinstance(samples, Iterable):
            raise UserError(
                f"{type(self.source).__qualname__}.samples({shard}) gives no samples",
                "a generator: a method with `yield x, y` in it",
                shown(samples),
                "have samples() yield",
            )
        return iter(samples)

    def _checked(
        self, x: _Values, y: _Values, own: np.ndarray, place: str, positions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """These samples of a group as arrays."""
        x, y = _taken(x, own), _taken(y, own)
        specs = self.source.input_spec, self.source.target_spec
        try:
            inputs = checked(x, specs[0], "x", place, positions)
            return inputs, checked(y, specs[1], "y", place, positions)
        except UserError as error:
            if all(map(fits, (y[0], x[0]), specs)):
                remedy = "have samples() yield x, y: they are the wrong way round"
                what, expected, received, _ = error.args
                raise UserError(what, expected, received, remedy) from None
            raise


def sample_name(shard: str, position: int | str) -> str:
    """What the user calls a sample of a stream."""
    return f"{shard}, sample {position}"


def _random_numbers(seed: int, shard: int) -> Iterator[np.ndarray]:
    """Random numbers of a shard's samples, from 0 to 1, endless, 4,000 at a time.

    Of every 20 neighbours one lies in each twentieth of the range (stratified sampling), so that a
    small source, and a sorted one, is split as evenly as a large one.
    """
    for block in count():
        rng = np.random.default_rng([seed, shard, block, 1])
        strata = rng.permuted(np.tile(np.arange(_STRATA), (_GROUPS, 1)), axis=1)
        yield ((strata + rng.random(strata.shape)) / _STRATA).ravel()


def _taken(values: _Values, chosen: np.ndarray) -> _Values:
    if isinstance(values, np.ndarray):
        return values[chosen]
    return [values[at] for at in chosen.tolist()]


def _pair(sample: Any, place: str, *of: Any) -> tuple[Any, Any]:
    """x and y; `place`, filled in with `of`, is what the user calls them."""
    if not isinstance(sample, tuple | list) or len(sample) != 2:
        raise UserError(
            f"{place.format(*of)} is no pair",
            "x and y: two values",
            shown(sample),
            "have the source yield x, y",
        )
    return sample[0], sample[1]


def _kept(value: Any) -> Any:
    """A copy of what a source may change before it yields the next sample."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, int | float | np.generic | str | bytes):
        return value
    if isinstance(value, list | tuple) and len(value) and isinstance(value[0], int | float):
        return value[:]
    return copy.deepcopy(value)


def announced(
    chunks: Iterable[Chunk], doing: str, how: str = f"by reading it once; {ENDLESS}"
) -> Iterator[Chunk]:
    """The chunks; prints once to stderr what is done, and how, if it takes more than a second."""
    count = 0

    def say() -> None:
        read = f"{count:,} samples so far" if count else "no sample so far"
        print(f"note: {doing} ({read}), {how}", file=sys.stderr, flush=True)

    timer = Timer(1, say)
    timer.daemon = True
    timer.start()
    try:
        for chunk in chunks:
            count += len(chunk.x)
            yield chunk
    finally:
        timer.cancel()
