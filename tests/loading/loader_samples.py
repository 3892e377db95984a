"""Datasets for the loader's tests: small, exact, and each with one way to misbehave."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from reprise.datasets.base import Dataset, Sample
from reprise.datasets.streams.source import Source
from reprise.errors import UserError
from reprise.spec import Spec


class Numbers(Dataset):
    """Every sample says which one it is, and what was drawn for it."""

    def __init__(self, count: int = 23, side: int = 5) -> None:
        self.count = count
        self.input_spec = Spec((side, side, 3), "uint8")
        self.target_spec = Spec((2,), "float64")

    def __len__(self) -> int:
        return self.count

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        drawn = -1.0 if rng is None else rng.random()
        return np.full(self.input_spec.shape, index % 256, np.uint8), np.array([index, drawn])

    def name(self, index: int) -> str:
        return f"number-{index}.png"

    def splits(self) -> dict[str, np.ndarray]:
        return {"train": np.arange(self.count)}


class InMemory(Numbers):
    in_memory = True


class Bulk(Numbers):
    """Reads a batch at once, as a table does."""

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        if 13 in indices and self.count == 14:
            raise LookupError("no such row")
        x = np.empty((len(indices), *self.input_spec.shape), np.uint8)
        x[:] = (indices % 256)[:, None, None, None]
        drawn = [-1.0 if rng is None else rng.random() for rng in rngs]
        return x, np.stack([indices.astype(float), drawn], axis=1)


class Ragged(Numbers):
    """A batch is as long as its first index says."""

    def __init__(self, count: int = 23) -> None:
        super().__init__(count)
        self.input_spec = Spec((None,), "int64")  # type: ignore[arg-type]

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        x = np.repeat(indices[:, None], indices[0] + 1, axis=1)
        return x, np.stack([indices, indices], axis=1).astype(float)


class WrongShape(Numbers):
    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        x, y = super().read(index, rng)
        return (x[:-1] if index == 7 else x), y


class Unsendable(Numbers):
    def __init__(self) -> None:
        super().__init__()
        self.handle = open(__file__)  # noqa: SIM115 - an open handle is the point


class Unreceivable(Numbers):
    """Can be pickled, but not read back in a worker."""

    def __setstate__(self, state: dict[str, object]) -> None:
        raise ImportError("no module named 'only_here'")


class DiesAtStart(Numbers):
    def __setstate__(self, state: dict[str, object]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Awkward(Exception):
    """Cannot be read back from its pickle: its constructor wants more than its arguments."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class Broken(Numbers):
    """Raises at sample 7."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        if index == 7:
            match self.kind:
                case "value":
                    raise ValueError("not a picture")
                case "awkward":
                    raise Awkward("this", "that")
                case "local":
                    raise type("Local", (Exception,), {})("made on the spot")
                case "exit":
                    sys.exit(0)
                case "user":
                    raise UserError("number-7.png: cut short", "3 bytes", "2 bytes", "copy it anew")
        return super().read(index, rng)


class Deadly(Numbers):
    """Kills whoever reads sample 7: every time, or as often as `lives` says."""

    def __init__(self, folder: Path, lives: int = 1_000_000) -> None:
        super().__init__()
        self.folder, self.lives = folder, lives

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        if index == 7 and len(list(self.folder.iterdir())) < self.lives:
            (self.folder / str(time.monotonic_ns())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(index, rng)


class Slow(Numbers):
    """Takes its time for every sample, and for ever for sample 7 if it is told so."""

    def __init__(
        self, count: int = 23, pause_s: float = 0.001, stuck: bool = False, side: int = 5
    ) -> None:
        super().__init__(count, side)
        self.pause_s, self.stuck = pause_s, stuck

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        time.sleep(3600 if self.stuck and index == 7 else self.pause_s)
        return super().read(index, rng)


HEAVY = ("tensorflow", "keras", "mlflow")


def census() -> np.ndarray:
    """How many heavy libraries this process has imported, and threads that others may use."""
    import cv2
    from threadpoolctl import threadpool_info

    heavy = sum(name in sys.modules for name in HEAVY)
    threads = max([cv2.getNumThreads(), *(p["num_threads"] for p in threadpool_info())])
    return np.array([float(heavy), float(threads)])


class Census(Numbers):
    """Says what its process has imported and may use, instead of data."""

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        return super().read(index, rng)[0], census()


class Stated(Source):
    """A stream of the same statements, in two shards."""

    num_shards = 2

    def __init__(self) -> None:
        self.input_spec = self.target_spec = Spec((2,), "float64")

    def samples(self, shard: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _ in range(12):
            yield census(), np.zeros(2)
