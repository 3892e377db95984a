"""Mean, deviation and counts of the train split."""

import numpy as np
import pytest

from reprise.datasets.moments import Moments
from reprise.spec import Spec


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces_give_what_the_whole_gives(size):
    values = np.random.default_rng(0).normal([1e6, -3, 0], [1, 1e-3, 10], (1000, 3))
    moments = Moments(Spec((3,), "float32"))
    for start in range(0, 1000, size):
        moments.add(values[start : start + size])
    spec = moments.onto(Spec((3,), "float32"))
    np.testing.assert_allclose(spec.offset, values.mean(0), rtol=1e-13)
    np.testing.assert_allclose(spec.scale, values.std(0), rtol=1e-9)


def test_one_for_all_where_the_last_axis_has_no_length():
    for shape, arrays in (((None,), [[1.0, 3.0], [5.0]]), ((), [1.0, 3.0, 5.0])):
        moments = Moments(Spec(shape, "float32"))
        for array in arrays:
            moments.add(np.array(array))
        spec = moments.onto(Spec(shape, "float32"))
        assert spec.offset == (3.0,)
        assert spec.scale == (pytest.approx((8 / 3) ** 0.5),)


def test_entries_of_the_last_axis_are_taken_over_all_others():
    moments = Moments(Spec((None, 2), "float32"))
    moments.add(np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]]))
    spec = moments.onto(Spec((None, 2), "float32"))
    assert spec.offset == (2.0, 5.0)
    assert spec.scale == (pytest.approx((8 / 3) ** 0.5), 1.0)


def test_a_constant_has_scale_1_though_it_cannot_be_added_up_exactly():
    moments = Moments(Spec((1,), "float32"))
    for _ in range(1000):
        moments.add(np.array([0.1]))
    assert moments.onto(Spec((1,), "float32")).scale == (1.0,)
