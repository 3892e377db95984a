"""The endless stream of batches of one split of data with random access."""

import math
import os
from collections.abc import Iterator

import numpy as np

from reprise.datasets.base import Dataset, Sample
from reprise.loading.assemble import is_sized
from reprise.loading.order import Order
from reprise.loading.workers.processes import Processes
from reprise.loading.workers.threads import Caller, Threads

_SLICE_BYTES = 1 << 20  # read at once of data in memory: most of what is left is the rows' own time


class Indexed:
    """Batches whose samples are known beforehand, made by whoever has time.

    Args:
        dataset: Where the samples are.
        order: Which samples make which batch.
        ahead: Finished batches that may wait for the consumer.
        rows: Rows of the largest batch.
        workers: Who makes batches ahead, 0 for nobody; None takes one for each core that this
            process may use, and none for data that is in memory.
        use_multiprocessing: Workers are processes; False makes them threads.
        timeout_s: Longest wait for one batch; None waits for ever.
    """

    def __init__(
        self,
        dataset: Dataset,
        order: Order,
        *,
        ahead: int,
        rows: int,
        workers: int | None,
        use_multiprocessing: bool,
        timeout_s: float | None,
    ) -> None:
        self._order = order
        self.steps_per_pass = order.steps_per_pass
        if workers is None:
            workers = 0 if dataset.in_memory else len(os.sched_getaffinity(0))
        self._engine: Caller | Threads | Processes = Caller(dataset, rows)
        self._together = _batches_at_once(dataset, rows) if not workers else 1
        if workers and use_multiprocessing:
            self._engine = Processes(dataset, workers, ahead, rows, timeout_s)
        elif workers:
            self._engine = Threads(dataset, workers, ahead, timeout_s)

    def run(self, start: int, stop: int | None) -> Iterator[tuple[str, Sample]]:
        """The batches from `start` up to `stop`, endless when it is None, each with its maker."""
        return self._engine.run(self._order.jobs(start, stop, self._together))

    def close(self) -> None:
        """End the workers."""
        self._engine.close()


def _batches_at_once(dataset: Dataset, rows: int) -> int:
    """Batches that one slice of data in memory serves for."""
    if not dataset.in_memory or not is_sized(dataset):
        return 1
    spec = dataset.input_spec
    batch = rows * math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
    return max(1, _SLICE_BYTES // batch)
