"""torch's DataLoader: NumPy batches, tensors in shared memory, and whole batches of arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from scripts.bench.meter import Meter
from scripts.bench.works import Work


class Samples(TorchDataset):
    """Samples one by one, or several by a list of places."""

    def __init__(self, dataset: Any) -> None:
        self._dataset, self._indices = dataset, dataset.splits()["train"]

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, list):
            return self._dataset.read_many(self._indices[at], [None] * len(at))
        return self._dataset.read(int(self._indices[at]), np.random.default_rng(at))


class Endless(Sampler[int]):
    """Permutation after permutation."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __iter__(self) -> Iterator[int]:
        while True:
            yield from torch.randperm(self._count).tolist()


def stack(samples: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """A NumPy batch, which goes through the pipe as a pickle."""
    return np.stack([x for x, _ in samples]), np.stack([y for _, y in samples])


def run(engine: str, work: Work, dataset: Any, workers: int, meter: Meter, source: str) -> None:
    """Hand batches to the meter without end."""
    samples = Samples(dataset)
    order = Endless(len(samples))
    if "batch sampler" in engine:
        batches = BatchSampler(order, work.batch_size, drop_last=False)
        loader: Any = DataLoader(samples, batch_size=None, sampler=batches)
    else:
        collate = stack if "numpy" in engine else None
        loader = DataLoader(
            samples, work.batch_size, sampler=order, num_workers=workers, collate_fn=collate
        )
    for x, _ in loader:
        meter.batch(len(x), np.asarray(x))
