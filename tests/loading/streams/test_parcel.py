import pickle

import numpy as np
import pytest

from reprise.datasets.streams.part import Item
from reprise.loading.streams.parcel import unwrap, wrap


def item(number: int, length: int = 2) -> Item:
    return Item(number, 10 + number, np.full(length, number), np.array(number, np.int32))


@pytest.mark.parametrize(
    "items",
    [
        [],
        [None],
        [None, None],
        [item(0)],
        [item(0), item(1), item(2)],
        [None, item(0), None, None, item(1), None],
        [item(0, 2), None, item(1, 3)],
    ],
)
def test_what_is_unwrapped_is_what_was_wrapped(items):
    found = unwrap(pickle.loads(pickle.dumps(wrap(items))))
    assert len(found) == len(items)
    for one, other in zip(items, found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one[:2] == other[:2]
            for a, b in zip(one[2:], other[2:], strict=True):
                assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def test_samples_that_are_kept_keep_no_others():
    for found in unwrap(wrap([item(0), item(1)])):
        assert found.x.base is None
        assert found.y.base is None
