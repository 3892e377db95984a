import gc

import numpy as np
import pytest

from reprise.loading.slots import Slots
from reprise.spec import Spec

SPECS = Spec((5, 3), "uint8"), Spec((7,), "float32")


def fresh(count: int = 2, spare: int = 2) -> Slots:
    return Slots(workers=2, count=count, spare=spare, rows=3, specs=SPECS)


def test_arrays_are_aligned_apart_and_have_their_shapes() -> None:
    slots = fresh()
    arrays = [array for slot in range(4) for array in slots.arrays(slot, 3)]
    assert [array.shape for array in arrays[:2]] == [(3, 5, 3), (3, 7)]
    assert [array.dtype.name for array in arrays[:2]] == ["uint8", "float32"]
    assert {array.ctypes.data % 64 for array in arrays} == {0}
    for number, array in enumerate(arrays):
        array[:] = number
    slots.progress(0)[:], slots.progress(1)[:] = 90, 91
    for slot in range(4):
        slots.indices(slot, 3)[:] = 92
    assert [set(np.unique(array)) for array in arrays] == [{n} for n in range(8)]
    assert slots.progress(0).tolist() == [90, 90]


@pytest.mark.parametrize("keep", [lambda x, y: x, lambda x, y: y[1:], lambda x, y: memoryview(x)])
def test_slot_is_free_only_when_nothing_refers_to_it(keep) -> None:  # type: ignore[no-untyped-def]
    slots = fresh(count=1, spare=1)
    taken = {slots.take(), slots.take()}
    assert taken == {0, 1}
    kept = keep(*slots.lend(1, 3))
    gc.collect()
    with pytest.raises(IndexError):
        slots.take()
    del kept
    gc.collect()
    assert slots.take() == 1


def test_consumer_that_keeps_too_many_is_given_copies() -> None:
    slots = fresh(count=2, spare=2)
    kept = []
    for number in range(10):
        slot = slots.take()  # always finds one, however many the consumer keeps
        slots.arrays(slot, 3)[0][:] = number
        kept.append(slots.lend(slot, 3))
    assert [int(x.max()) for x, _ in kept] == list(range(10))
    assert [x.base is None for x, _ in kept] == [False] * 2 + [True] * 8


def test_lent_arrays_outlive_the_slots() -> None:
    slots = fresh()
    x, _ = slots.lend(slots.take(), 3)
    x[:] = 7
    slots.close()
    del slots
    gc.collect()
    assert x.sum() == 7 * 45
