import numpy as np
import pytest

from reprise.spec import Spec
from reprise.transforms.bars import columns, rows, scaled


def test_scaled_is_what_a_model_takes():
    spec = Spec((2,), "float32", offset=(1.0, 10.0), scale=(2.0, 5.0))
    assert scaled(np.array([3, 0]), spec).tolist() == [1.0, -2.0]
    assert scaled(np.array([255, 51]), Spec((2,), "uint8")).tolist() == [1.0, 0.2]
    assert scaled(np.array([7, -7]), Spec((2,), "int32")).tolist() == [7.0, -7.0]


@pytest.mark.parametrize("count", [0, 1, 5, 224, 3000])
def test_columns_have_one_shape_for_any_count(count):
    drawn = columns(np.arange(count, dtype=float))
    assert (drawn.shape, drawn.dtype) == ((112, 224, 3), np.uint8)


def test_columns_go_up_and_down_from_the_middle():
    drawn = columns(np.array([1.0, -0.5])).any(axis=2)
    assert drawn[4, 0]  # full height up
    assert not drawn[60, 0]
    assert drawn[82, -1]  # half of it down
    assert not drawn[83, -1]
    assert not drawn[50, -1]


def test_a_row_has_a_bar_for_each_value_and_is_full_at_three_scales():
    spec = Spec((3,), "float32", scale=(1.0,))
    drawn = rows(["a", "b", "c"], np.array([3.0, -1.5, 90.0]), spec)[:, 176:]
    assert drawn.shape == (52, 96, 3)
    lengths = [int(drawn[at * 16 + 9].any(axis=1).sum()) for at in range(3)]
    assert lengths == [47, 24, 47]
    assert drawn[9, 60].any()
    assert not drawn[9, 30].any()
    assert drawn[25, 30].any()
    assert not drawn[25, 60].any()


def test_without_a_scale_the_largest_value_is_full():
    drawn = rows(["a", "b"], np.array([50.0, 25.0]), Spec((2,), "float32"))[:, 176:]
    assert [int(drawn[at * 16 + 9].any(axis=1).sum()) for at in range(2)] == [47, 24]
    assert not rows(["a"], np.zeros(1), Spec((1,), "float32"))[9, 176 + 50 :].any()


def test_many_values_are_counted_instead_of_drawn():
    few, many = (
        rows([f"v{i}" for i in range(n)], np.ones(n), Spec((n,), "float32")) for n in (12, 40)
    )
    assert few.shape == many.shape == (196, 272, 3)
    assert few[185, 240 - 16].any()
    assert not many[11 * 16 + 4 : 12 * 16 - 2, 176:].any()
