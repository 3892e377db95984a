"""Memory that the process which trains and its workers both see: one slot per batch under way.

The memory has no name (memfd): nothing is left in /dev/shm however the processes end, and the
size of /dev/shm, 64 MB in a container, does not bound it. A slot that was lent is free again when
nothing refers to its arrays any more; TensorFlow keeps pointing into them long after the next
batch was asked for.
"""

import math
import mmap
import os
import weakref
from multiprocessing import reduction
from typing import Any

import numpy as np

from reprise.datasets.base import Sample
from reprise.spec import Spec

_LINE = 64  # bytes; TensorFlow takes an array at such an address without a copy
_PAGE = 4096


class Slots:
    """Slots of equal size, each with room for the indices and the arrays of one batch.

    Args:
        workers: Each has a line for its progress.
        count: Batches under way.
        spare: Further batches that the consumer may keep before it is given copies.
        rows: Rows of the largest batch.
        specs: The arrays of a batch; empty where shapes vary, and only indices travel here.
        fd: The memory as a pickle has it; None allocates it.
    """

    def __init__(
        self,
        workers: int,
        count: int,
        spare: int,
        rows: int,
        specs: tuple[Spec, ...],
        fd: Any = None,
    ) -> None:
        self._args = workers, count, spare, rows, specs
        self._spare, self._specs = spare, specs
        self._index_bytes = _up(8 * rows, _LINE)
        self._array_bytes = [_up(rows * _bytes(spec), _LINE) for spec in specs]
        self._slot_bytes = _up(self._index_bytes + sum(self._array_bytes), _PAGE)
        self._begin = _up(workers * _LINE, _PAGE)  # of the first slot
        self._fd = os.memfd_create("reprise-slots") if fd is None else fd.detach()
        self._close = weakref.finalize(self, os.close, self._fd)
        if fd is None:
            os.ftruncate(self._fd, self._begin + (count + spare) * self._slot_bytes)
        self._memory = mmap.mmap(self._fd, 0)
        self._free = list(range(count + spare))
        self._lent: set[int] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return Slots, (*self._args, reduction.DupFd(self._fd))

    def close(self) -> None:
        """Let go of the memory; arrays that are still lent stay as they are."""
        self._close()
        del self._memory

    def progress(self, worker: int) -> np.ndarray:
        """What a worker reads: task and position in the batch; shape (2,), int64, writable."""
        return np.frombuffer(self._memory, np.int64, count=2, offset=worker * _LINE)

    def indices(self, slot: int, rows: int) -> np.ndarray:
        """The indices of the slot's batch; shape (rows,), int64, writable."""
        offset = self._begin + slot * self._slot_bytes
        return np.frombuffer(self._memory, np.int64, count=rows, offset=offset)

    def arrays(self, slot: int, rows: int) -> tuple[np.ndarray, ...]:
        """The slot's arrays, one for each of `specs`, with a batch axis of length `rows`."""
        return self._views(self._whole(slot), rows)

    def take(self) -> int:
        """A free slot, the one used last, so that no more memory is touched than is needed."""
        return self._free.pop()

    def give_back(self, slot: int) -> None:
        """Make a slot free again."""
        self._free.append(slot)

    def lend(self, slot: int, rows: int) -> Sample:
        """The slot's arrays for the consumer, to keep as long as it likes."""
        whole = self._whole(slot)
        x, y = self._views(whole, rows)
        if len(self._lent) >= self._spare:
            # It keeps many: copies, or the workers would soon have nowhere to write.
            x, y = x.copy(), y.copy()
            self.give_back(slot)
        else:
            # Every view of x or y refers to `whole`, which owns no memory but is what they share.
            self._lent.add(slot)
            weakref.finalize(whole, self._returned, slot).atexit = False
        return x, y

    def _returned(self, slot: int) -> None:
        self._lent.discard(slot)
        self._free.append(slot)

    def _whole(self, slot: int) -> np.ndarray:
        offset = self._begin + slot * self._slot_bytes
        return np.frombuffer(self._memory, np.uint8, count=self._slot_bytes, offset=offset)

    def _views(self, whole: np.ndarray, rows: int) -> tuple[np.ndarray, ...]:
        views, begin = [], self._index_bytes
        for spec, size in zip(self._specs, self._array_bytes, strict=True):
            array = whole[begin : begin + rows * _bytes(spec)]
            views.append(array.view(spec.dtype).reshape(rows, *spec.shape))
            begin += size
        return tuple(views)


def _bytes(spec: Spec) -> int:
    return math.prod(spec.shape) * np.dtype(spec.dtype).itemsize


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
