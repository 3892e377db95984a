import numpy as np
import pytest

from reprise.transforms.matrices import side_by_side


def drawn(*matrices):
    return side_by_side(["input", "target", "answer"][: len(matrices)], matrices)


def test_each_matrix_is_beside_the_other_and_layers_below_one_another():
    one, two = np.zeros((3, 5, 1)), np.zeros((3, 5, 2))
    pair, more, tall = drawn(one, one), drawn(one, one, one), drawn(one, two)
    assert pair.dtype == np.uint8
    assert pair.shape[2] == 3
    assert more.shape[0] == pair.shape[0]
    assert more.shape[1] * 2 == pair.shape[1] * 3
    assert tall.shape[1] == pair.shape[1]
    assert tall.shape[0] > 1.7 * pair.shape[0]


def test_colours_mean_the_same_in_all_of_them_and_the_target_sets_the_scale():
    target = np.linspace(-7, 7, 16).reshape(4, 4, 1)
    picture = drawn(100 * target, target, -target)
    blue, yellow = (picture == color for color in (low_color(), high_color()))
    third = picture.shape[1] // 3
    shares = [
        [mark.all(-1)[:, at * third : (at + 1) * third].mean() for at in range(3)]
        for mark in (blue, yellow)
    ]
    for input_share, target_share, answer_share in shares:
        assert input_share == pytest.approx(8 * target_share)
        assert target_share == answer_share > 0
    assert not (drawn(target, target, -target) == drawn(target, target, target)).all()


def test_a_target_of_one_value_takes_the_scale_of_the_input():
    noise = np.linspace(-7, 7, 16).reshape(4, 4, 1)
    picture = drawn(noise, np.zeros((4, 4, 1)), noise / 100)
    third = picture.shape[1] // 3
    answer = picture[18:, 2 * third :]
    assert not (answer == low_color()).all(-1).any()


def low_color():
    return np.array([68, 1, 84])  # of viridis, as OpenCV has it


def high_color():
    return np.array([253, 231, 37])


def test_a_matrix_of_zeros_can_be_drawn():
    assert drawn(np.ones((4, 4, 1)), np.zeros((4, 4, 1)), np.full((4, 4, 1), np.nan)).any()
