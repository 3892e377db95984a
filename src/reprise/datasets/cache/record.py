"""How the arrays of one sample stand one behind the other in a file."""

import math
from collections.abc import Sequence

import numpy as np

from reprise.datasets.decodable import Arrays
from reprise.spec import Spec

LINE = 64  # bytes: every array begins at a multiple of it


class Record:
    """The layout of records whose arrays are of these specs.

    Args:
        specs: One for each array; None where samples differ.
    """

    def __init__(self, specs: Sequence[Spec]) -> None:
        self._specs = tuple(specs)
        self._axes = [axis for spec in specs for axis in spec.shape]

    @property
    def num_lengths(self) -> int:
        """Axes whose lengths differ from sample to sample."""
        return self._axes.count(None)

    @property
    def size(self) -> int:
        """Bytes of every record, a multiple of LINE; 0 where samples differ."""
        return 0 if self.num_lengths else self.size_of([])

    def size_of(self, lengths: Sequence[int]) -> int:
        """Bytes of the record with these lengths."""
        pairs = zip(self._specs, self._shapes(lengths), strict=True)
        return sum(up(_size(spec, shape)) for spec, shape in pairs)

    def lengths(self, arrays: Arrays) -> list[int]:
        """The lengths of the axes that differ."""
        found = [length for array in arrays for length in array.shape]
        return [n for n, axis in zip(found, self._axes, strict=True) if axis is None]

    def pack(self, arrays: Arrays) -> bytes:
        """The bytes of a record."""
        parts = [np.ascontiguousarray(array).tobytes() for array in arrays]
        return b"".join(part.ljust(up(len(part)), b"\0") for part in parts)

    def view(self, data: np.ndarray, lengths: Sequence[int]) -> Arrays:
        """The arrays of a record, without a copy.

        Args:
            data: Bytes from the record's first one on.
            lengths: As `lengths` gives them.
        """
        arrays, begin = [], 0
        for spec, shape in zip(self._specs, self._shapes(lengths), strict=True):
            size = _size(spec, shape)
            arrays.append(data[begin : begin + size].view(spec.dtype).reshape(shape))
            begin += up(size)
        return tuple(arrays)

    def split(self, rows: np.ndarray) -> Arrays:
        """The arrays of many records of one size, each with a batch axis; copies.

        Args:
            rows: A record in each, shape (records, size), uint8.
        """
        arrays, begin = [], 0
        for spec in self._specs:
            size = _size(spec, spec.shape)
            part = np.ascontiguousarray(rows[:, begin : begin + size]).view(spec.dtype)
            arrays.append(part.reshape(len(rows), *spec.shape))
            begin += up(size)
        return tuple(arrays)

    def _shapes(self, lengths: Sequence[int]) -> list[tuple[int, ...]]:
        own = iter(lengths)
        return [
            tuple(next(own) if axis is None else axis for axis in spec.shape)
            for spec in self._specs
        ]


def up(size: int, step: int = LINE) -> int:
    """The next multiple of `step`."""
    return -(-size // step) * step


def _size(spec: Spec, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * np.dtype(spec.dtype).itemsize
