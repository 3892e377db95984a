"""Which samples make a batch, with which randomness: a pure function of seed, split and step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np

from reprise.errors import UserError

SPLITS = {"train": 0, "valid": 1, "test": 2}


@dataclass(frozen=True)
class SampleRngs(Sequence[np.random.Generator | None]):
    """One random generator per sample of a batch, made anew each time it is asked for.

    Args:
        key: Seed, code of the split and number of the pass; None gives None for every sample.
        indices: The batch's samples, shape (rows,), int64.
    """

    key: tuple[int, int, int] | None
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, at: int) -> np.random.Generator | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[np.random.Generator | None]: ...
    def __getitem__(
        self, at: int | slice
    ) -> np.random.Generator | Sequence[np.random.Generator | None] | None:
        if isinstance(at, slice):
            return SampleRngs(self.key, self.indices[at])
        index = int(self.indices[at])
        return None if self.key is None else np.random.default_rng([*self.key, index])


@dataclass(frozen=True)
class BatchPlan:
    """Everything that decides the bytes of one batch, or of some that follow one another.

    Args:
        step: Number of the first batch in the endless stream, from 0.
        indices: Its samples, shape (rows,), int64, read-only.
        rngs: Its samples' randomness.
    """

    step: int
    indices: np.ndarray
    rngs: SampleRngs


class Order:
    """The endless stream of batches of one split.

    Args:
        indices: The split's samples.
        split: 'train' is permuted anew in every pass; 'valid' and 'test' keep their own order.
        seed: 0 or more.
        batch_size: Rows of every batch but a pass's last, which is short where it must be.
        kind: 'full' permutes samples; 'block' permutes blocks of neighbours and then the samples
            within each window, so that a batch's rows lie close together in their table.
        block_size: Neighbouring samples that move together.
        window: Samples that are mixed with one another after the blocks have moved.

    Attributes:
        steps_per_pass: Batches in one pass over the split.
        rows: Rows of the largest batch.

    Raises:
        UserError: the split is empty.
    """

    def __init__(
        self,
        indices: np.ndarray,
        *,
        split: str,
        seed: int,
        batch_size: int,
        kind: Literal["full", "block"] = "full",
        block_size: int = 64,
        window: int = 256,
    ) -> None:
        if len(indices) == 0:
            raise UserError(
                f"split '{split}' has no samples",
                "at least one sample",
                "an empty list of indices",
                "look at how the dataset is split: make check-data exp=NAME",
            )
        self._indices = np.array(indices, dtype=np.int64)
        self._split, self._code = split, SPLITS[split]
        self._seed, self._batch_size = seed, batch_size
        self._kind, self._block_size, self._window = kind, block_size, window
        self._kept: tuple[int, np.ndarray] = (-1, self._indices)
        self.steps_per_pass = -(-len(self._indices) // batch_size)
        self.rows = min(batch_size, len(self._indices))

    def plans(self, start: int, stop: int | None, together: int = 1) -> Iterator[BatchPlan]:
        """The batches from `start` up to, not including, `stop`; endless when it is None.

        Args:
            start: First step.
            stop: Step to stop before.
            together: Batches in one plan, or less at the end of a pass.
        """
        step = start
        while stop is None or step < stop:
            count = min(together, self.steps_per_pass - step % self.steps_per_pass)
            count = count if stop is None else min(count, stop - step)
            yield self.plan(step, count)
            step += count

    def plan(self, step: int, count: int = 1) -> BatchPlan:
        """The batch with this number, or so many of its pass from it on."""
        turn, at = divmod(step, self.steps_per_pass)
        train = self._split == "train"
        samples = self._pass(turn if train else 0)
        rows = samples[at * self._batch_size : (at + count) * self._batch_size]
        key = (self._seed, self._code, turn) if train else None
        return BatchPlan(step, rows, SampleRngs(key, rows))

    def _pass(self, turn: int) -> np.ndarray:
        """The samples of one whole pass in their order; read-only, since every batch shares it."""
        if self._kept[0] != turn:
            samples = self._indices
            if self._split == "train":
                samples = samples[self._positions(turn)]
            samples.flags.writeable = False
            self._kept = (turn, samples)
        return self._kept[1]

    def _positions(self, turn: int) -> np.ndarray:
        # Five numbers, where a sample's generator has four: NumPy pads short seeds with zeros, so
        # that (seed, split, pass) would be the generator of sample 0 once more.
        rng = np.random.default_rng([self._seed, self._code, turn, 0, 1])
        count = len(self._indices)
        if self._kind == "full":
            return rng.permutation(count)
        starts = rng.permutation(-(-count // self._block_size)) * self._block_size
        positions = (starts[:, None] + np.arange(self._block_size)).ravel()
        positions = positions[positions < count]
        for low in range(0, count, self._window):
            rng.shuffle(positions[low : low + self._window])
        return positions
