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
from functools import cached_property
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
        workers: Each has a mark of its own: the job and the sample it is at.
        count: Batches under way.
        spare: Further batches that the consumer may keep before it is given copies.
        rows: Rows of the largest batch.
        specs: The arrays of a batch; empty where shapes vary, and only indices travel here.
    """

    def __init__(self, workers: int, count: int, spare: int, rows: int, specs: tuple[Spec, ...]):
        self._layout = workers, count, spare, rows, specs
        self._fd = os.memfd_create("reprise-slots")
        self._close = weakref.finalize(self, os.close, self._fd)
        os.ftruncate(self._fd, self._measure())
        self._memory = mmap.mmap(self._fd, 0)
        self._free = list(range(count + spare))
        self._lent: set[int] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (reduction.DupFd(self._fd), self._layout)

    def close(self) -> None:
        """Let go of the memory; arrays that are still lent stay as they are."""
        self._close()
        del self._memory

    def marks(self, worker: int) -> np.ndarray:
        """What this worker is at: its job's number and the sample's position; shape (2,), int64."""
        return np.frombuffer(self._memory, np.int64, count=2, offset=worker * _LINE)

    def indices(self, slot: int, rows: int) -> np.ndarray:
        """Where the indices of the slot's batch are written; shape (rows,), int64."""
        return np.frombuffer(self._memory, np.int64, count=rows, offset=self._offset(slot))

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
        if len(self._lent) >= self._layout[2]:
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
        offset, size = self._offset(slot), self._slot_bytes
        return np.frombuffer(self._memory, np.uint8, count=size, offset=offset)

    def _views(self, whole: np.ndarray, rows: int) -> tuple[np.ndarray, ...]:
        views, begin = [], self._index_bytes
        for spec in self._layout[4]:
            shape = (rows, *spec.shape)
            end = begin + math.prod(shape) * np.dtype(spec.dtype).itemsize
            views.append(whole[begin:end].view(spec.dtype).reshape(shape))
            begin += self._array_bytes(spec)
        return tuple(views)

    def _measure(self) -> int:
        _, count, spare, _, _ = self._layout
        return self._offset(count + spare)

    def _offset(self, slot: int) -> int:
        return _up(self._layout[0] * _LINE, _PAGE) + slot * self._slot_bytes

    @cached_property
    def _slot_bytes(self) -> int:
        arrays = sum(self._array_bytes(spec) for spec in self._layout[4])
        return _up(self._index_bytes + arrays, _PAGE)

    @cached_property
    def _index_bytes(self) -> int:
        return _up(self._layout[3] * 8, _LINE)

    def _array_bytes(self, spec: Spec) -> int:
        shape = (self._layout[3], *spec.shape)
        return _up(math.prod(shape) * np.dtype(spec.dtype).itemsize, _LINE)


def _up(size: int, step: int) -> int:
    return -(-size // step) * step


def _attach(fd: Any, layout: tuple[int, int, int, int, tuple[Spec, ...]]) -> Slots:
    """The same slots as a worker sees them."""
    slots = Slots.__new__(Slots)
    slots._layout, handle = layout, fd.detach()
    slots._memory = mmap.mmap(handle, 0)
    os.close(handle)
    return slots
