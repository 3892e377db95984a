"""Labels in every form that arrays bring them in."""

import numpy as np
import pytest

from reprise.datasets.npy.labels import array_targets
from reprise.errors import UserError
from reprise.spec import Spec


def place(at):
    return f"y[{at}]"


ABC = ("a", "b", "c")


@pytest.mark.parametrize(
    ("y", "target", "classes", "values", "spec"),
    [
        (np.array([2, 0], "uint8"), "class", None, [2, 0], Spec((), "int32", ("0", "1", "2"))),
        (np.array([[2], [0]]), "class", ABC, [2, 0], Spec((), "int32", ABC)),  # as CIFAR comes
        (np.eye(3)[[2, 0]], "class", ABC, [2, 0], Spec((), "int32", ABC)),  # to_categorical
        (np.array(["c", "a"]), "class", None, [1, 0], Spec((), "int32", ("a", "c"))),
        (np.array([True, False]), "class", ["no", "yes"], [1, 0], Spec((), "int32", ("no", "yes"))),
        (np.array([[1, 1, 0], [0, 0, 0]]), "labels", ABC, [[1, 1, 0], [0, 0, 0]],
         Spec((3,), "uint8", ABC)),
        (np.array([1, 2]), "value", None, [1, 2], Spec((), "float32")),
        (np.array([[1.5], [2]]), "value", None, [[1.5], [2]], Spec((1,), "float32")),
    ],
)  # fmt: skip
def test_forms(y, target, classes, values, spec):
    targets = array_targets(y, target, classes, place)
    assert np.array_equal(targets.values, values)
    assert targets.values.dtype == spec.dtype
    assert targets.spec == spec


@pytest.mark.parametrize(
    ("y", "target", "classes", "said"),
    [
        (np.array([0.0, 1.0]), "class", None, "dataset.y does not fit dataset.target=class"),
        (np.array([0, 1]), "labels", None, "dataset.y does not fit dataset.target=labels"),
        (np.zeros((2, 2, 2)), "value", None, "dataset.y does not fit dataset.target=value"),
        (np.array(["1", "2"]), "value", None, "dataset.y does not fit dataset.target=value"),
        (np.array([0, 3]), "class", ABC, r"y\[1\]: 3 is no class"),
        (np.array([[0, 1], [1, 1]]), "class", None, r"(?s)y\[1\]: 2 classes at once.*labels"),
        (np.array([[0, 1], [0, 0]]), "class", None, r"y\[1\]: 0 classes at once"),
        (np.array([[0, 1], [0, 2]]), "labels", None, r"y\[1\]: 2 for '1' is no label"),
        (np.array([0.0, np.nan]), "value", None, r"y\[1\]: no value"),
    ],
)
def test_what_does_not_fit_is_refused(y, target, classes, said):
    with pytest.raises(UserError, match=said):
        array_targets(y, target, classes, place)
