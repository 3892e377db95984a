"""Turns a dataset into the endless stream of batches that training, validation and scoring eat."""

import math
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from annotated_types import Ge, Gt

from reprise.datasets.base import BaseDataset, Dataset, Sample
from reprise.errors import UserError
from reprise.loading.order import Order
from reprise.loading.process_pool import ProcessPool
from reprise.loading.worker import assemble, has_fixed_shapes
from reprise.project import ROOT

if TYPE_CHECKING:
    from reprise.loading.stream_batches import StreamBatches
    from reprise.loading.thread_pool import ThreadPool

_SLICE_BYTES = 1 << 20  # read at once of data in memory: most of what is left is the rows' own time


class Loader:
    """Batches of one split, a pure function of seed, split and step for any number of workers.

    Workers start at the first batch and live until `close`. One iteration at a time: a new call of
    `batches` ends the one before.

    Args:
        dataset: Where the samples are.
        indices: The split's samples, shape (samples,), int64; of a stream its `StreamSplit`.
        split: 'train', 'valid' or 'test'; only 'train' is shuffled and randomly transformed.
        seed: Of order and randomness; 0 or more.
        batch_size: Samples per batch; a pass's last batch has what is left.
        workers: Number of workers that make batches ahead; 0: each batch is made when it is asked
            for. None: one for each core that this process may use, and none for data in memory or
            a stream of a single shard.
        use_multiprocessing: Workers are processes; False makes them threads.
        max_queue_size: Finished batches that may wait for the model; bounds memory.
        order: 'full' permutes samples; 'block' keeps neighbours together (rows of a table). A
            stream has its shuffle buffer instead.
        block_size: Of 'block': neighbouring samples that move together.
        window: Of 'block': samples that are mixed with one another.
        timeout_s: Longest wait for one batch, in seconds, before its samples count as stuck; None
            waits for ever. Without workers it has no effect.
        cache: Folder that keeps what is decoded, for later passes and runs; None keeps nothing.

    Raises:
        UserError: the split is empty, 'block' is asked of a stream, or there is nothing to cache.
    """

    _source: "StreamBatches | ProcessPool | ThreadPool | _NoPool"
    _order: "StreamBatches | Order"

    def __init__(
        self,
        dataset: BaseDataset[Any],
        indices: Any,
        *,
        split: str,
        seed: int,
        batch_size: Annotated[int, Ge(1)] = 8,
        workers: Annotated[int, Ge(0)] | None = None,
        use_multiprocessing: bool = True,
        max_queue_size: Annotated[int, Ge(1)] = 8,
        order: Literal["full", "block"] = "full",
        block_size: Annotated[int, Ge(1)] = 64,
        window: Annotated[int, Ge(1)] = 256,
        timeout_s: Annotated[float, Gt(0)] | None = 120.0,
        cache: str | None = None,
    ) -> None:
        self.dataset = dataset
        if cache:
            from reprise.datasets.cache import cached

            self.dataset = cached(dataset, ROOT / cache)
        self.error: BaseException | None = None
        self.producers: set[str] = set()
        self.waited_s = 0.0
        self._iteration = 0
        self._closed = False
        what: dict[str, Any] = {"split": split, "seed": seed, "batch_size": batch_size}
        who: dict[str, Any] = {"ahead": max_queue_size, "timeout_s": timeout_s}
        if not isinstance(self.dataset, Dataset):
            from reprise.datasets.stream import Stream
            from reprise.loading.stream_batches import StreamBatches
            from reprise.loading.stream_readers import StreamReaders

            assert isinstance(self.dataset, Stream)
            _refuse_order(order)
            who |= {"workers": workers, "use_multiprocessing": use_multiprocessing}
            readers = StreamReaders(indices, batch_size=batch_size, **who)
            self._order = self._source = StreamBatches(
                self.dataset, indices, readers=readers, **what
            )
            return
        self._order = Order(indices, kind=order, block_size=block_size, window=window, **what)
        if workers is None:
            workers = 0 if self.dataset.in_memory else len(os.sched_getaffinity(0))
        if not workers:
            self._source = _NoPool(self.dataset, self._order)
        elif use_multiprocessing:
            self._source = ProcessPool(self.dataset, self._order, workers=workers, **who)
        else:
            from reprise.loading.thread_pool import ThreadPool

            self._source = ThreadPool(self.dataset, self._order, workers=workers, **who)

    @property
    def steps_per_pass(self) -> int:
        """Batches in one pass over the split; a stream may have to be read to know it."""
        return self._order.steps_per_pass

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Sample]:
        """The batches from step `start` up to, not including, `stop`; endless when it is None.

        Returns:
            x and y, each with a leading batch axis. The arrays stay valid as long as they are kept.

        Raises:
            UserError: a sample cannot be read, kills its worker or is stuck; its name is given.
            RuntimeError: the loader is closed, or a later call of `batches` has ended this one.
        """
        if self._closed:
            raise RuntimeError("the loader is closed")
        self._iteration += 1
        return self._iterate(self._iteration, self._source.run(start, stop))

    def _iterate(self, iteration: int, batches: Iterator[tuple[str, Sample]]) -> Iterator[Sample]:
        while True:
            if self._closed or iteration != self._iteration:
                end = "was closed" if self._closed else "began another one"
                raise RuntimeError(f"this iteration ended when the loader {end}")
            began = time.perf_counter()
            try:
                producer, batch = next(batches)
            except StopIteration:
                return
            except BaseException as error:
                self.error = error
                raise
            finally:
                self.waited_s += time.perf_counter() - began
            self.producers.add(producer)
            yield batch
            del batch  # the consumer alone decides how long it lives

    def close(self) -> None:
        """End the workers; idempotent. Batches already handed over stay valid."""
        self._closed = True
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _NoPool:
    """No worker: each batch is made when it is asked for; of data in memory some at once.

    Args:
        dataset: What to read.
        order: Which samples make which batch.
    """

    def __init__(self, dataset: Dataset, order: Order) -> None:
        self._dataset, self._order = dataset, order
        self._together = 1
        if dataset.in_memory and has_fixed_shapes(dataset):
            spec = dataset.input_spec
            batch_bytes = order.rows * math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
            self._together = max(1, _SLICE_BYTES // batch_bytes)

    def run(self, start: int, stop: int | None) -> Iterator[tuple[str, Sample]]:
        """Yield the batches from `start` up to `stop` (None: endless), each with its producer."""
        rows = self._order.rows
        for plan in self._order.plans(start, stop, self._together):
            x, y = assemble(self._dataset, plan)
            for at in range(0, len(x), rows):
                yield "this process", (x[at : at + rows], y[at : at + rows])

    def close(self) -> None:
        """Nothing to end."""


def _refuse_order(order: str) -> None:
    if order != "full":
        raise UserError(
            "a stream cannot be read in another order than its own",
            "loader.order=full, with which a stream is mixed by its shuffle buffer",
            f"loader.order={order}",
            "leave loader.order out; dataset.shuffle_buffer says how far samples are mixed",
        )
