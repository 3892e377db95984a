import itertools

import numpy as np
import pytest

from reprise.errors import UserError
from reprise.loading.order import Order


def order(count: int = 23, **keys: object) -> Order:
    keys = {"split": "train", "seed": 3, "batch_size": 4, **keys}
    return Order(np.arange(100, 100 + count), **keys)  # type: ignore[arg-type]


def indices(made: Order, start: int, stop: int) -> list[list[int]]:
    return [plan.indices.tolist() for plan in made.plans(start, stop)]


def flat(rows: list[list[int]]) -> list[int]:
    return list(itertools.chain(*rows))


def test_a_pass_holds_every_sample_once_and_ends_short() -> None:
    made = order()
    assert made.steps_per_pass == 6
    for turn in range(3):
        rows = indices(made, 6 * turn, 6 * turn + 6)
        assert [len(row) for row in rows] == [4, 4, 4, 4, 4, 3]
        assert sorted(flat(rows)) == list(range(100, 123))


def test_seeds_differ() -> None:
    assert indices(order(seed=4), 0, 6) != indices(order(), 0, 6)


def test_order_is_numpys_permutation_of_seed_split_and_pass() -> None:
    expected = 100 + np.random.default_rng([3, 0, 2, 0, 1]).permutation(23)
    assert flat(indices(order(), 12, 18)) == expected.tolist()


@pytest.mark.parametrize("split", ["valid", "test"])
def test_other_splits_keep_their_order_and_draw_nothing(split: str) -> None:
    made = order(split=split)
    assert indices(made, 0, 6) == indices(made, 6, 12)
    assert flat(indices(made, 0, 6)) == list(range(100, 123))
    assert list(made.plan(0).rngs) == [None] * 4


def test_randomness_belongs_to_seed_split_pass_and_sample() -> None:
    plan = order().plan(8)
    drawn = [rng.random() for rng in plan.rngs if rng is not None]
    expected = [np.random.default_rng([3, 0, 1, index]).random() for index in plan.indices]
    assert drawn == expected


@pytest.mark.parametrize("count", [96, 100, 5])
def test_blocks_stay_together_and_mix_within_a_window(count: int) -> None:
    made = order(count=count, kind="block", block_size=8, window=16, batch_size=16)
    rows = indices(made, 0, made.steps_per_pass)
    assert sorted(flat(rows)) == list(range(100, 100 + count))
    if count == 96:
        for row in rows:
            blocks = {(index - 100) // 8 for index in row}
            assert len(blocks) == 2
        assert [row for row in rows if row == sorted(row)] == []
    assert rows != indices(made, made.steps_per_pass, 2 * made.steps_per_pass) or count == 5


def test_empty_split_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="split 'valid' has no samples"):
        Order(np.array([], int), split="valid", seed=0, batch_size=4)


@pytest.mark.parametrize("start", [0, 4, 5, 7])
@pytest.mark.parametrize("stop", [9, 20])
def test_batches_of_one_pass_may_stand_in_one_job(start: int, stop: int) -> None:
    made = order()
    plans = list(made.plans(start, stop, together=4))
    assert len(plans) < stop - start
    assert flat([plan.indices.tolist() for plan in plans]) == flat(indices(made, start, stop))
    drawn = [rng.random() for plan in plans for rng in plan.rngs if rng is not None]
    alone = [
        rng.random() for plan in made.plans(start, stop) for rng in plan.rngs if rng is not None
    ]
    assert drawn == alone
