"""Keras's own workers, on the same dataset."""

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import OrderedEnqueuer

from reprise.loading.order import Order
from scripts.bench.meter import Meter
from scripts.bench.works import Work

QUEUE = 8  # batches, as in our loader


class Batches(keras.utils.PyDataset):
    """The batches of an endless order; one epoch, so that Keras makes its pool but once."""

    def __init__(self, dataset: Any, order: Order, **workers: Any) -> None:
        super().__init__(**workers)
        self.dataset, self.order = dataset, order

    @property
    def num_batches(self) -> None:
        """No end."""
        return

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        plan = self.order.plan(step)
        batch: tuple[np.ndarray, np.ndarray] = self.dataset.read_many(plan.indices, plan.rngs)
        return batch


def make(engine: str, work: Work, dataset: Any, workers: int) -> Batches:
    """A PyDataset whose workers are what the engine's name says."""
    order = Order(dataset.splits()["train"], split="train", seed=0, batch_size=work.batch_size)
    who = {"workers": workers, "use_multiprocessing": "processes" in engine}
    return Batches(dataset, order, max_queue_size=QUEUE, **who)


def run(engine: str, work: Work, dataset: Any, workers: int, meter: Meter, source: str) -> None:
    """Hand batches to the meter without end."""
    batches = make(engine, work, dataset, workers)
    enqueuer = OrderedEnqueuer(batches, workers, batches.use_multiprocessing, QUEUE)
    enqueuer.start()
    for x, _ in enqueuer.get():
        meter.batch(len(x), x)
