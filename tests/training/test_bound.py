import pytest

from reprise.training.bound import verdict


@pytest.mark.parametrize(
    ("waited_s", "seconds", "said"),
    [
        (0.0, 5.0, "compute-bound: 0% of the time"),
        (0.99, 10.0, "compute-bound: 10% of the time"),
        (1.0, 10.0, "data-bound: 10% of the time was spent waiting for data; without it training "
         "would be 1.1 times as fast"),
        (3.0, 4.0, "data-bound: 75% of the time was spent waiting for data; without it training "
         "would be 4.0 times as fast"),
        (5.0, 4.9, "data-bound: 99%"),  # two clocks never agree to the end
    ],
)  # fmt: skip
def test_a_tenth_of_the_time_is_worth_a_word(waited_s, seconds, said):
    assert verdict(waited_s, seconds).startswith(said)


def test_what_to_change_is_said_where_it_helps():
    told = verdict(1.0, 2.0)
    assert all(word in told for word in ("loader.workers", "loader.cache", "make profile exp="))
    assert "loader.cache" not in verdict(0.0, 2.0)
