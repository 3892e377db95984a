"""Many samples of a stream at once: the same batches as one by one, in a fraction of the time."""

from collections.abc import Iterator

import numpy as np

from reprise.datasets.base import Sample
from reprise.loading.streams.batching import DRAWN


def shuffled_blocks(
    blocks: Iterator[Sample], size: int, rng: np.random.Generator
) -> Iterator[Sample]:
    """What `batching.shuffled` gives of these rows, in the same order.

    Args:
        blocks: x and y with a leading axis, of any length.
        size: Of the buffer.
        rng: Decides the order alone.
    """
    buffer, rest = _first(blocks, size)
    if buffer is None:
        return
    places = np.empty(0, np.int64)
    for block in rest:
        count = len(block[0])
        while len(places) < count:  # taken from the end there, so turned round here
            places = np.concatenate([places, rng.integers(size, size=DRAWN)[::-1]])
        yield _exchange(buffer, block, places[:count])
        places = places[count:]
    order = rng.permutation(len(buffer[0]))
    yield buffer[0][order], buffer[1][order]


def rebatched(blocks: Iterator[Sample], rows: int) -> Iterator[Sample]:
    """The same samples, so many at a time; the last ones may be fewer."""
    kept: list[Sample] = []
    for block in blocks:
        kept.append(block)
        if sum(len(x) for x, _ in kept) < rows:
            continue
        x, y = _joined(kept)
        whole = len(x) // rows * rows
        for at in range(0, whole, rows):
            yield x[at : at + rows], y[at : at + rows]
        kept = [(x[whole:], y[whole:])]
    x, y = _joined(kept) if kept else (np.empty(0), np.empty(0))
    if len(x):
        yield x, y


def _first(blocks: Iterator[Sample], size: int) -> tuple[Sample | None, Iterator[Sample]]:
    """The first `size` samples, or all there are, in memory of their own; and the others."""
    kept: list[Sample] = []
    for block in blocks:
        kept.append(block)
        if sum(len(x) for x, _ in kept) >= size:
            break
    if not kept:
        return None, blocks
    x, y = _joined(kept)
    rest = x[size:].copy(), y[size:].copy()
    return (x[:size].copy(), y[:size].copy()), _followed(rest, blocks)


def _followed(first: Sample, others: Iterator[Sample]) -> Iterator[Sample]:
    yield first
    yield from others


def _exchange(buffer: Sample, block: Sample, places: np.ndarray) -> Sample:
    """Put one row after the other at its place of the buffer; the rows that stood there before.

    Where a place comes twice, the row that leaves second is the one that came first.
    """
    order = np.argsort(places, kind="stable")
    again = places[order[1:]] == places[order[:-1]]
    later, earlier = order[1:][again], order[:-1][again]
    last = order[np.append(~again, True)] if len(order) else order
    gone = []
    for kept, new in zip(buffer, block, strict=True):
        leaving = kept[places]
        leaving[later] = new[earlier]
        kept[places[last]] = new[last]
        gone.append(leaving)
    return gone[0], gone[1]


def _joined(blocks: list[Sample]) -> Sample:
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate([x for x, _ in blocks]), np.concatenate([y for _, y in blocks])
