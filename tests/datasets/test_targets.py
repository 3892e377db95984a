"""Targets from names, ids, flags and values; what is wrong is named with its place."""

import json

import numpy as np
import pytest

from reprise.datasets.targets import (
    Targets,
    class_targets,
    flag_targets,
    id_targets,
    label_targets,
    value_targets,
)
from reprise.errors import UserError
from reprise.spec import Spec


def place(at: int) -> str:
    return f"t.csv, line {at + 2}"


@pytest.mark.parametrize(
    ("names", "classes", "ids", "found"),
    [
        (["hen", "cat", "hen"], None, [1, 0, 1], ("cat", "hen")),
        (["hen", "cat", "hen"], ["hen", "ox", "cat"], [0, 2, 0], ("hen", "ox", "cat")),
        (["10", "9", "0"], None, [2, 1, 0], ("0", "9", "10")),  # by size, not as text
        (["1", "0", "1"], ["no", "yes"], [1, 0, 1], ("no", "yes")),  # ids of names
        (["7", "1"], ["1", "7"], [1, 0], ("1", "7")),  # names that are numbers
        (["None", "NA"], None, [1, 0], ("NA", "None")),
        (["1.0", "0.0"], ["no", "yes"], [1, 0], ("no", "yes")),  # ids, as pandas writes floats
        (["caf\u00e9", "cafe\u0301", "tee"], None, [0, 0, 1], ("cafe\u0301", "tee")),
        (["cafe\u0301", "te\u200be"], ["tee", "caf\u00e9"], [1, 0], ("tee", "caf\u00e9")),
        (["red  fox", "red\u00a0fox"], ["red fox"], [0, 0], ("red fox",)),
        (["a", "A"], None, [1, 0], ("A", "a")),  # letters that are written by hand
        (["Cat", "cat"], ["cat", "Cat"], [1, 0], ("cat", "Cat")),
    ],
)
def test_one_class_each(names, classes, ids, found):
    targets = class_targets(names, classes, place)
    assert targets.values.tolist() == ids
    assert targets.values.dtype == np.int32
    assert targets.spec == Spec((), "int32", found)


@pytest.mark.parametrize(
    ("names", "classes", "said"),
    [
        (["cat", "dgo"], ["cat", "dog"], ["line 3", "'dgo' is no class", "did you mean 'dog'"]),
        (["cat", "zebra"], ["cat", "dog"], ["line 3", "one of cat, dog", "dataset.classes"]),
        (["cat", "", "cat"], None, ["line 3", "an empty cell"]),
        (["0", "2"], ["no", "yes"], ["line 3", "2 is no class", "no, yes"]),
        (["cat", "CAT"], ["cat", "dog"], ["line 3", "'CAT' is no class", "did you mean 'cat'"]),
        (["cat", "Cat"], None, ["line 2", "'cat' and 'Cat' would be two", "dataset.classes=["]),
        (["TRUE", "true", "false"], None, ["'true' and 'TRUE' would be two classes"]),
        (["1", "1.0", "2"], None, ["line 3", "'1.0' and '1' would be two classes"]),
        (["7", "07"], None, ["'7' and '07' would be two classes"]),
        (["red fox", "Red  Fox"], None, ["'red fox' and 'Red  Fox'"]),
    ],
)
def test_what_is_no_class_is_named_with_its_place(names, classes, said):
    with pytest.raises(UserError) as caught:
        class_targets(names, classes, place)
    assert all(words in str(caught.value) for words in said)


def test_values_taken_for_ids_are_refused_before_a_million_classes_are_made():
    with pytest.raises(UserError, match=r"(?s)line 3.*dataset.target=value"):
        id_targets(np.array([1, 10_000_000]), None, place)


def test_several_labels_each():
    targets = label_targets([{"b"}, set(), {"a", "b"}], None, place)
    assert targets.values.tolist() == [[0, 1], [0, 0], [1, 1]]
    assert targets.spec == Spec((2,), "uint8", ("a", "b"))
    assert label_targets([{"b"}], ["c", "b"], place).values.tolist() == [[0, 1]]
    with pytest.raises(UserError, match=r"line 3: 'x' is no class"):
        label_targets([{"a"}, {"a", "x"}], ["a"], place)


def test_labels_that_mean_one_class_are_one_or_named():
    labels = [{"caf\u00e9"}, {"cafe\u0301", "tee"}]
    assert label_targets(labels, None, place).values.tolist() == [[1, 0], [1, 1]]
    with pytest.raises(UserError, match="line 3: 'tee' and 'Tee' would be two classes"):
        label_targets([{"Tee"}, {"tee"}], None, place)


def test_yes_and_no_of_any_dtype():
    for dtype in ("bool", "float64", "int8"):
        targets = flag_targets(np.array([[1, 0], [0, 0]], dtype), ["a", "b"], place)
        assert targets.values.tolist() == [[1, 0], [0, 0]]
        assert targets.spec == Spec((2,), "uint8", ("a", "b"))
    assert flag_targets(np.eye(3), None, place).spec.classes == ("0", "1", "2")


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan])
def test_what_is_neither_yes_nor_no_is_named(value):
    with pytest.raises(UserError, match=r"line 3: .* for 'b' is no label"):
        flag_targets(np.array([[1, 0], [0, value]]), ["a", "b"], place)


def test_names_that_do_not_count_as_many_as_columns():
    with pytest.raises(UserError, match=r"(?s)2 names.*3 names: a, b, c"):
        flag_targets(np.zeros((4, 2)), ["a", "b", "c"], place)


def test_values_keep_their_unit():
    assert value_targets(np.array([1, 250]), place).values.tolist() == [1.0, 250.0]
    targets = value_targets(np.array([[1.5, 2], [3, -4]]), place)
    assert targets.values.dtype == np.float32
    assert targets.spec == Spec((2,), "float32")
    for wrong in (np.nan, np.inf):
        with pytest.raises(UserError, match=f"line 3: no value(?s:.*){wrong}"):
            value_targets(np.array([1.0, wrong]), place)


def test_classes_are_counted_in_the_train_split_alone():
    targets = Targets(np.array([0, 2, 2, 1, 0], np.int32), Spec((), "int32", ("a", "b", "c", "d")))
    spec, learned = targets.learned(np.array([0, 1, 2]))
    assert spec.counts == (1, 0, 2, 0)
    assert json.loads(json.dumps(learned)) == {"counts": {"a": 1, "b": 0, "c": 2, "d": 0}}
    assert targets.label(1) == 2


def test_values_have_mean_and_deviation_by_column():
    values = np.array([[1, 10], [3, 10], [100, 10]], np.float32)
    spec, learned = Targets(values, Spec((2,), "float32")).learned(np.array([0, 1]))
    assert (spec.offset, spec.scale) == ((2.0, 10.0), (1.0, 1.0))
    assert learned == {"target_offset": [2.0, 10.0], "target_scale": [1.0, 1.0]}
    single = Targets(values[:, 0], Spec((), "float32"))
    assert single.learned(np.array([0, 1]))[0].offset == (2.0,)
    assert single.label(0) is None
