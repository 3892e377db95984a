"""The endless stream of batches of one split of data with random access."""

import os
from collections.abc import Iterator

from reprise.datasets.base import Dataset, Sample
from reprise.loading.order import Order
from reprise.loading.workers.processes import Processes
from reprise.loading.workers.threads import Caller, Threads


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
        self._engine: Caller | Threads | Processes = Caller(dataset)
        if workers and use_multiprocessing:
            self._engine = Processes(dataset, workers, ahead, rows, timeout_s)
        elif workers:
            self._engine = Threads(dataset, workers, ahead, timeout_s)

    def run(self, start: int, stop: int | None) -> Iterator[tuple[str, Sample]]:
        """The batches from `start` up to `stop`, endless when it is None, each with its maker."""
        return self._engine.run(self._order.jobs(start, stop))

    def close(self) -> None:
        """End the workers."""
        self._engine.close()
