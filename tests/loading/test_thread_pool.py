from collections.abc import Iterator

import numpy as np
import pytest
from loading.loader_samples import Numbers, Slow
from loading.test_loader import digest, expected

from reprise.errors import UserError
from reprise.loading.loader import NoPool
from reprise.loading.order import BatchPlan, Order
from reprise.loading.thread_pool import ThreadPool


def order(split: str = "train") -> Order:
    return Order(np.arange(23), split=split, seed=3, batch_size=4)


def test_no_more_batches_are_ahead_than_asked_for() -> None:
    seen = 0

    def counted() -> Iterator[BatchPlan]:
        nonlocal seen
        for plan in order().plans(0, None):
            seen += 1
            yield plan

    engine = ThreadPool(Numbers(), workers=2, ahead=3, timeout_s=60)
    batches = engine.run(counted())
    for taken in range(1, 30):
        next(batches)
        assert seen == taken - 1 + 3 + 2
    engine.close()


def test_stuck_thread_does_not_keep_the_others_from_ending() -> None:
    engine = ThreadPool(Slow(stuck=True), workers=2, ahead=3, timeout_s=0.5)
    batches = engine.run(order("valid").plans(0, None))
    next(batches)
    with pytest.raises(UserError, match=r"still reading number-7\.png"):
        next(batches)
    engine.close()
    assert sum(thread.is_alive() for thread in engine._threads) == 1


def test_caller_makes_each_batch_when_it_is_asked_for() -> None:
    made = list(NoPool(Numbers(), 4).run(order().plans(0, 8)))
    assert {producer for producer, _ in made} == {"this process"}
    assert digest(batch for _, batch in made) == expected(Numbers(), "train", 0, 8)


def test_caller_hands_out_in_batches_what_it_makes_at_once() -> None:
    plans = list(order().plans(3, 14, together=5))
    assert [len(plan.indices) for plan in plans] == [11, 20, 3, 8]
    made = [batch for _, batch in NoPool(Numbers(), 4).run(iter(plans))]
    assert digest(made) == expected(Numbers(), "train", 3, 14)
