"""Mask codings: from stored values to class ids, and settings that make none."""

import numpy as np
import pytest
from PIL import Image

from reprise.datasets.images.masks import BinaryMasks, ColorMasks, IdMasks, make_coding
from reprise.errors import UserError


@pytest.fixture
def decode(tmp_path):
    def run(coding, values):
        path = tmp_path / "a.png"
        Image.fromarray(np.asarray(values)).save(path)
        ids = coding.read(path)
        assert ids.dtype == np.uint8
        return ids.tolist()

    return run


def grey(*values, dtype=np.uint8):
    return np.array([values], dtype)


def test_yes_no_masks_of_both_kinds(decode):
    coding = BinaryMasks(["ink"])
    assert decode(coding, grey(0, 1, 1)) == [[0, 1, 1]]
    assert decode(coding, grey(0, 255, 0)) == [[0, 1, 0]]
    assert decode(coding, grey(0, 0)) == [[0, 0]]
    assert decode(coding, grey(255, 255)) == [[1, 1]]
    assert decode(coding, grey(1, 1)) == [[1, 1]]
    assert decode(coding, grey(0, 1).astype(bool)) == [[0, 1]]


@pytest.mark.parametrize("values", [(0, 128, 255), (0, 1, 255), (0, 2), (0, 254)])
def test_other_values_are_no_yes_no_mask(decode, values):
    shown = ", ".join(map(str, values))
    with pytest.raises(UserError, match=rf"(?s)a.png is not a yes/no mask.*the values {shown}"):
        decode(BinaryMasks(["ink"]), grey(*values))


def test_ids_close_up_where_one_in_between_is_ignored(decode):
    coding = IdMasks(["b", "d"], [0, 2, 255])
    assert decode(coding, grey(0, 1, 2, 3, 255)) == [[255, 0, 255, 1, 255]]


def test_ids_of_sixteen_bits(decode):
    coding = IdMasks(["a", "b"], [255])
    assert decode(coding, grey(0, 1, 255, dtype=np.uint16)) == [[0, 1, 255]]
    with pytest.raises(UserError, match=r"the ids 256, 257 too"):
        decode(coding, grey(0, 1, 256, 257, dtype=np.uint16))


def test_an_id_without_a_name_is_said(decode):
    with pytest.raises(UserError) as caught:
        decode(IdMasks(["a", "b"], [9]), grey(0, 1, 2, 9, 254))
    message = str(caught.value)
    assert "a.png has class ids that are not in use" in message
    assert "dataset.classes has 2 names, for the ids 0, 1; ignored: 9" in message
    assert "the ids 2, 254 too" in message
    assert "dataset.ignore" in message


COLORS = {"sky": [128, 128, 128], "void": [0, 0, 0], "road": [128, 64, 128], "car": [64, 0, 128]}


def test_colours_are_classes_in_the_order_of_the_config(decode):
    pixels = np.array([[COLORS["car"], COLORS["sky"], COLORS["road"], COLORS["void"]]], np.uint8)
    assert decode(ColorMasks(COLORS, ["void"]), pixels) == [[2, 0, 1, 255]]
    assert decode(ColorMasks(COLORS, []), pixels) == [[3, 0, 2, 1]]


@pytest.mark.parametrize("foreign", [[1, 2, 3], [0, 0, 1], [255, 255, 255], [128, 128, 64]])
def test_a_colour_that_is_not_listed_is_said(decode, foreign):
    pixels = np.array([[COLORS["car"], foreign, foreign]], np.uint8)
    shown = str(foreign).replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(UserError, match=rf"(?s)a.png has colours.*{shown} too, in 2 pixels"):
        decode(ColorMasks(COLORS, []), pixels)


TWO = {"a": [0, 0, 0], "b": [1, 1, 1]}


@pytest.mark.parametrize(
    ("mode", "classes", "ignore", "colors", "key"),
    [
        ("binary", ["a", "b"], [], None, "classes"),
        ("binary", None, [255], None, "ignore"),
        ("binary", None, [], TWO, "colors"),
        ("ids", None, [], None, "classes"),
        ("ids", ["only"], [], None, "classes"),
        ("ids", ["twice", "twice"], [], None, "classes"),
        ("ids", [str(at) for at in range(255)], [], None, "classes"),
        ("ids", [str(at) for at in range(254)], [7, 8, 9], None, "classes"),
        ("ids", ["a", "b"], ["b"], None, "ignore"),
        ("ids", ["a", "b"], [256], None, "ignore"),
        ("ids", ["a", "b"], [-1], None, "ignore"),
        ("ids", ["a", "b"], [], TWO, "colors"),
        ("colors", None, [], None, "colors"),
        ("colors", ["a", "b"], [], TWO, "colors"),
        ("colors", None, ["c"], TWO, "ignore"),
        ("colors", None, [0], TWO, "ignore"),
        ("colors", None, ["a"], TWO, "colors"),
        ("colors", None, [], {"a": [0, 0, 0], "b": [0, 0, 0]}, "colors"),
        ("colors", None, [], {"a": [0, 0, 0], "b": [0, 0, 256]}, "colors"),
        ("colors", None, [], {"a": [0, 0, 0], "b": [0, 0]}, "colors"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(mode, classes, ignore, colors, key):
    with pytest.raises(
        UserError, match=rf"(?s)dataset\.{key} does not go .*correct dataset\.{key}"
    ):
        make_coding(mode, classes, ignore, colors)
