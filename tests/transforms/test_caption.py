"""Words on pictures: what is said, in which colour, and that shapes depend on sizes alone."""

import numpy as np
import pytest

from reprise.spec import Spec
from reprise.transforms import caption
from reprise.transforms.caption import (
    GREEN,
    GREY,
    RED,
    WHITE,
    enlarged,
    heat_map,
    labelled,
    written,
)

ONE = Spec((), "int32", ("cat", "dog", "hen"))
SOME = Spec((5,), "uint8", ("a", "b", "c", "d", "e"))
VALUES = Spec((2,), "float32")
BLANK = np.zeros((28, 28, 3), np.uint8)


def flags(*numbers):
    return np.isin(np.arange(5), numbers).astype(np.uint8)


@pytest.mark.parametrize(
    ("spec", "y", "prediction", "truth", "answer"),
    [
        (ONE, 1, [0.1, 0.9, 0.0], [("dog", WHITE)], [("dog 90 %", GREEN), ("cat 10 %", GREY),
                                                     ("hen 0 %", GREY)]),
        (ONE, 2, [0.2, 0.7, 0.1], [("hen", WHITE)], [("dog 70 %", RED), ("cat 20 %", GREY),
                                                     ("hen 10 %", GREY)]),
        (VALUES, [1.0, 0.25], [1.5, 0.0], [("1", WHITE), ("0.25", WHITE)],
         [("1.5  (+0.5)", WHITE), ("0  (-0.25)", WHITE)]),
        (Spec((), "float32"), -3.0, [-3.0], [("-3", WHITE)], [("-3  (+0)", WHITE)]),
    ],
)  # fmt: skip
def test_truth_and_answer_in_words(spec, y, prediction, truth, answer):
    y, prediction = np.asarray(y), np.asarray(prediction)
    assert caption._truth(spec, y) == truth
    assert caption._answer(spec, y, prediction) == answer


def test_of_several_labels_the_hits_are_green_and_misses_and_false_alarms_red():
    answer = caption._answer(SOME, flags(0, 2), np.array([0.9, 0.8, 0.3, 0.1, 0.5]))
    assert answer == [
        ("a 90 %", GREEN),
        ("b 80 %", RED),
        ("e 50 %", RED),
        ("c 30 %", RED),
        ("d 10 %", GREY),
    ]


@pytest.mark.parametrize(
    ("numbers", "lines"),
    [
        ((), ["(none)", "", ""]),
        ((1,), ["b", "", ""]),
        ((0, 1, 4), ["a", "b", "e"]),
        ((0, 1, 2, 4), ["a", "b", "c + 1"]),
    ],
)
def test_as_many_lines_stand_under_every_sample(numbers, lines):
    assert caption._truth(SOME, flags(*numbers)) == [(line, WHITE) for line in lines]


def test_one_shape_for_one_spec_and_wider_with_an_answer():
    shapes = {labelled(BLANK, SOME, flags(*numbers)).shape for numbers in ((), (1,), (0, 1, 2, 3))}
    assert shapes == {(112 + 3 * 16 + 6, 112, 3)}
    drawn = labelled(BLANK, SOME, flags(1), np.zeros(5))
    assert drawn.shape == (112 + 3 * 16 + 6, 112 + 144, 3)
    assert drawn.dtype == np.uint8


def test_the_words_can_be_seen_in_their_colour():
    drawn = labelled(BLANK, ONE, np.int32(1), np.array([0.0, 1.0, 0.0]))
    first = drawn[:18, 112:].astype(int)  # edges are soft, so the colour is nearly met
    assert np.abs(first - GREEN).sum(axis=2).min() < 60
    assert np.abs(first - RED).sum(axis=2).min() > 150
    assert drawn[112:, :112].max() > 200  # the truth, under the picture


@pytest.mark.parametrize(
    ("shape", "enlarged_to"),
    [((8, 8), (112, 112)), ((28, 28), (112, 112)), ((200, 300), (200, 300)), ((8, 500), (8, 500)),
     ((64, 200), (128, 400)), ((1, 4), (112, 448))],
)  # fmt: skip
def test_small_pictures_grow_by_whole_pixels(shape, enlarged_to):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    grown = enlarged(picture)
    factor = enlarged_to[0] // shape[0]
    assert grown.shape == (*enlarged_to, 3)
    assert (grown[::factor, ::factor] == picture).all()
    assert (grown[factor - 1 :: factor, factor - 1 :: factor] == picture).all()


def test_a_heat_map_goes_from_dark_blue_to_yellow():
    drawn = heat_map(np.array([[0.0, 5.0, 10.0]]))
    assert drawn.tolist() == [[[68, 1, 84], [33, 144, 141], [253, 231, 37]]]
    assert (heat_map(np.array([[5.0]]), 0, 10) == drawn[:, 1:2]).all()
    assert (heat_map(np.array([[-7.0, 99.0]]), 0, 10) == drawn[:, ::2]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [[[3.0, 3.0]], [[np.nan, np.inf]], [[np.nan, 1.0]]])
def test_what_cannot_be_told_apart_is_dark(values):
    assert (heat_map(np.array(values)) == [68, 1, 84]).all()


def test_text_that_has_no_room_is_cut():
    long = written([("a very long name of a class indeed", WHITE)], (20, 60))
    assert long.shape == (20, 60, 3)
    assert caption._cut("a very long name", 52, 12).endswith("…")
    assert caption._cut("short", 52, 12) == "short"
    assert (written([("é", WHITE)], (20, 60)) != written([("ü", WHITE)], (20, 60))).any()
