"""In which order a stream's shards are read: fixed by the source, whoever reads them."""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from reprise.datasets.streams.part import Item, Part

LANES = 16  # shards that are open at one time


def lanes_of(order: np.ndarray) -> list[list[int]]:
    """Deal shards to lanes; the shards of a lane are read one after the other.

    Args:
        order: Numbers of the shards, shape (shards,), in the order of this pass.

    Returns:
        At most 16 lanes, none empty.
    """
    count = min(LANES, len(order))
    return [order[lane::count].tolist() for lane in range(count)]


def read_lane(part: Part, shards: Sequence[int]) -> Iterator[Item]:
    """Read some shards one after the other."""
    for shard in shards:
        yield from part.samples(shard)


def in_turns(lanes: Sequence[Iterator[Item | None]]) -> Iterator[Item | None]:
    """One sample of each lane in turn, and None where a lane ends.

    What comes from some of the lanes alone is what all of them give, with the others left out. So
    whoever has the sequences of several readers, each of which reads some of the lanes in turns,
    gets the whole by asking, lane after lane, the reader that has it.
    """
    live = deque(lanes)
    while live:
        lane = live.popleft()
        item = next(lane, None)
        yield item
        if item is not None:
            live.append(lane)
