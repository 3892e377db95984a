"""grain's worker processes."""

from typing import Any

import grain
import numpy as np

from scripts.bench.meter import Meter
from scripts.bench.works import Work


class Samples:
    """A source of grain's: the samples of the train split."""

    def __init__(self, dataset: Any) -> None:
        self._dataset, self._indices = dataset, dataset.splits()["train"]

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, at: int) -> tuple[np.ndarray, np.ndarray]:
        sample: tuple[np.ndarray, np.ndarray] = self._dataset.read(
            int(self._indices[at]), np.random.default_rng(at)
        )
        return sample


def run(engine: str, work: Work, dataset: Any, workers: int, meter: Meter, source: str) -> None:
    """Hand batches to the meter without end."""
    samples = grain.MapDataset.source(Samples(dataset)).shuffle(seed=0).repeat()
    # One thread in each worker process, as in ours; by default grain starts 16.
    reading = grain.ReadOptions(num_threads=1, prefetch_buffer_size=work.batch_size)
    batches = samples.to_iter_dataset(reading).batch(work.batch_size)
    options = grain.MultiprocessingOptions(num_workers=workers)
    for x, _ in batches.mp_prefetch(options):
        meter.batch(len(x), x)
