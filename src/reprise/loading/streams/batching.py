"""From samples that pass by to batches: a shuffle buffer, and padding."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.streams.part import Item
from reprise.spec import Spec

DRAWN = 1024  # random numbers at a time


def shuffled(items: Iterable[Item], size: int, rng: np.random.Generator) -> Iterator[Item]:
    """Mix items within a buffer: each one that leaves is drawn from `size` of them.

    Args:
        items: Any number of them.
        size: Of the buffer; 1 leaves the order as it is.
        rng: Decides the order alone.
    """
    source = iter(items)
    buffer = list(islice(source, size))
    places: list[int] = []
    for item in source:
        if not places:
            places = rng.integers(size, size=DRAWN).tolist()
        at = places.pop()
        yield buffer[at]
        buffer[at] = item
    for at in rng.permutation(len(buffer)).tolist():
        yield buffer[at]


def collate(
    items: Sequence[Item], specs: tuple[Spec, Spec], padding: tuple[float, float]
) -> Sample:
    """One batch, x and y with a leading axis, padded at the ends of axes that differ."""
    x = _stacked([item.x for item in items], specs[0], padding[0])
    y = _stacked([item.y for item in items], specs[1], padding[1])
    return x, y


def _stacked(arrays: Sequence[np.ndarray], spec: Spec, padding: float) -> np.ndarray:
    if None not in spec.shape:
        return np.stack(arrays)
    longest = np.max([array.shape for array in arrays], axis=0)
    batch = np.full((len(arrays), *longest), padding, spec.dtype)
    for row, array in zip(batch, arrays, strict=True):
        row[tuple(map(slice, array.shape))] = array
    return batch
