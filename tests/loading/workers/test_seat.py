import numpy as np

from reprise.loading.order import Order
from reprise.loading.workers.seat import Task


def task() -> Task:
    return Task(0, Order(np.arange(4), split="train", seed=0, batch_size=4).job(0))


def test_death_in_company_makes_suspect_but_does_not_count() -> None:
    made = task()
    made.blame(2, alone=False)
    assert (made.suspect, made.deaths) == (True, [])


def test_only_deaths_in_a_row_over_one_sample_count() -> None:
    made = task()
    for at in (2, 2, 3, 2, 2):
        made.blame(at, alone=True)
    assert made.deaths == [2, 2]
