"""Lots, by which the samples of a stream fall to its splits as they pass."""

from collections.abc import Iterator
from itertools import count

import numpy as np

_EVEN = 20  # neighbours whose lots are spread evenly from 0 to 1
_BLOCKS = 200  # of such neighbours, drawn at a time


def draw_lots(seed: int, shard: int) -> Iterator[np.ndarray]:
    """The lots of a shard's samples in their order, endless, some thousand at a time.

    A sample's lot is a number from 0 to 1, a pure function of seed, shard and position: nothing
    needs to be stored, and a source that grows at its end leaves its samples where they are. Of
    every 20 neighbours each twentieth of that range has one, so that a small source, and one that
    is sorted, is split as evenly as a large one.
    """
    for block in count():
        rng = np.random.default_rng([seed, shard, block, 1])
        strata = rng.permuted(np.tile(np.arange(_EVEN), (_BLOCKS, 1)), axis=1)
        yield ((strata + rng.random(strata.shape)) / _EVEN).ravel()
