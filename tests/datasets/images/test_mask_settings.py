"""Settings of a config that make a mask coding, and those that cannot."""

import pytest

from reprise.datasets.images.mask_settings import make_coding
from reprise.errors import UserError


def test_a_yes_no_mask_has_one_class_and_ignores_nothing():
    assert make_coding("binary", None, [], None).classes == ("foreground",)
    coding = make_coding("binary", ["ink"], [], None)
    assert (coding.classes, coding.ignore, coding.colors) == (("ink",), None, None)


def test_ids_have_the_names_given():
    coding = make_coding("ids", ["sky", "road"], [2], None)
    assert (coding.classes, coding.ignore, coding.colors) == (("sky", "road"), 255, None)


def test_colours_bring_their_names():
    colors = {"sky": [1, 2, 3], "void": [0, 0, 0], "road": [9, 9, 9]}
    coding = make_coding("colors", None, ["void"], colors)
    assert (coding.classes, coding.ignore) == (("sky", "road"), 255)
    assert coding.colors == ((1, 2, 3), (9, 9, 9))


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


def test_as_many_classes_as_a_byte_holds():
    assert len(make_coding("ids", [str(at) for at in range(254)], [254, 255], None).classes) == 254
