"""Sources for the tests of streams: small, exact, and each with one way to misbehave."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.streams.source import Source
from reprise.spec import Spec


class Numbers(Source):
    """Shards of unequal length; a sample says which one it is: 1000 * shard + position."""

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths or (23,)
        self.num_shards = len(self.lengths)
        self.input_spec = Spec((2,), "int64")
        self.target_spec = Spec((), "int32", ("even", "odd"))

    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        for position in range(self.lengths[shard]):
            yield [1000 * shard + position, shard], position % 2


class InBlocks(Numbers):
    """The samples of Numbers in arrays of various lengths."""

    def blocks(self, shard: int) -> Iterator[Sample]:
        samples = self.samples(shard)
        for length in itertools.cycle((40, 1, 7)):
            if not (some := list(itertools.islice(samples, length))):
                return
            x, y = zip(*some, strict=True)
            yield np.array(x), np.array(y, np.int32)


class Floats(Numbers):
    """Values whose mean and deviation are known, and a constant."""

    def __init__(self, *lengths: int) -> None:
        super().__init__(*lengths)
        self.input_spec = Spec((2,), "float32")

    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        for position in range(self.lengths[shard]):
            yield [10.0 * position, 7.0], position % 2


class Ragged(Numbers):
    """Position + 1 rows of two, each the position + 1."""

    def __init__(self, *lengths: int) -> None:
        super().__init__(*lengths)
        self.input_spec = Spec((None, 2), "float32")

    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        for position in range(self.lengths[shard]):
            length = position % 5 + 1
            yield np.full((length, 2), length, np.float32), position % 2


class Broken(Numbers):
    """Misbehaves at position 7 of its last shard, in the way that it is told."""

    def __init__(self, kind: str, *lengths: int) -> None:
        super().__init__(*lengths)
        self.kind = kind

    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        for position, sample in enumerate(super().samples(shard)):
            if position == 7 and shard == self.num_shards - 1:
                match self.kind:
                    case "raise":
                        raise ValueError("no flower")
                    case "hang":
                        time.sleep(3600)
            yield sample


class Deadly(Numbers):
    """Kills whoever reads position 7 of its last shard, as often as `lives` says."""

    def __init__(self, folder: Path, lives: int, *lengths: int) -> None:
        super().__init__(*lengths)
        self.folder, self.lives = folder, lives

    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        for position, sample in enumerate(super().samples(shard)):
            is_last = shard == self.num_shards - 1
            if is_last and position == 7 and len(list(self.folder.iterdir())) < self.lives:
                (self.folder / str(time.monotonic_ns())).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield sample


class Yields(Numbers):
    """Yields one thing, whatever was announced."""

    def __init__(self, x: Any, y: Any) -> None:
        super().__init__()
        self.x, self.y = x, y

    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        yield self.x, self.y


class Changing(Numbers):
    """Has `change` samples more at every reading."""

    def __init__(self, change: int, *lengths: int) -> None:
        super().__init__(*lengths)
        self.change, self.readings = change, 0

    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        self.readings += 1
        for position in range(self.lengths[shard] + self.change * self.readings):
            yield [position, shard], 0


class Endless(Numbers):
    """Never ends; states its scale, so that nobody reads it to find out."""

    def __init__(self) -> None:
        super().__init__()
        self.input_spec = Spec((2,), "float32", offset=(1.0,), scale=(2.0,))

    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        position = 0
        while True:
            yield [position, 0], 0
            position += 1


class Unsendable(Numbers):
    """Holds a handle, which it must not."""

    def __init__(self) -> None:
        super().__init__()
        self.handle = open(__file__)  # noqa: SIM115 - an open handle is the point
