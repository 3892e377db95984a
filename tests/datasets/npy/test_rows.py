"""Rows of one array or of two, and the inputs they are."""

import pickle

import numpy as np
import pytest

from reprise.datasets.npy.files import find_array
from reprise.datasets.npy.inputs import input_spec, not_finite
from reprise.datasets.npy.rows import Rows, open_rows
from reprise.errors import UserError
from reprise.spec import Spec


def rows(folder, *arrays, **options):
    files = []
    for at, array in enumerate(arrays):
        path = folder / f"{at}.npy"
        np.save(path, array)
        files.append(find_array(None, str(path), "dataset.x"))
    return Rows(files, **options)


@pytest.mark.parametrize("memory_map", [False, True])
def test_two_arrays_are_as_one(tmp_path, memory_map):
    both = rows(tmp_path, np.arange(12).reshape(6, 2), np.arange(100, 108).reshape(4, 2),
                memory_map=memory_map)  # fmt: skip
    assert len(both) == 10
    taken = both[np.array([9, 0, 6, 5, 0])]
    assert type(taken) is np.ndarray
    assert taken.tolist() == [[106, 107], [0, 1], [100, 101], [10, 11], [0, 1]]
    assert [both.name(at) for at in (5, 6)] == ["0.npy[5]", "1.npy[0]"]


def test_a_copy_carries_no_array(tmp_path):
    whole = rows(tmp_path, np.zeros((1000, 100)))
    whole[np.array([0])]
    data = pickle.dumps(whole)
    assert len(data) < 2000
    assert np.array_equal(pickle.loads(data)[np.array([3])], whole[np.array([3])])


def test_chunks_walk_through_rows_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("reprise.datasets.npy.rows._CHUNK", 48)  # three rows
    parts = list(rows(tmp_path, np.arange(16.0).reshape(8, 2)).chunks(np.array([0, 2, 3, 5, 7])))
    assert [indices.tolist() for indices, _ in parts] == [[0, 2, 3], [5, 7]]
    assert [values[:, 0].tolist() for _, values in parts] == [[0, 4, 6], [10, 14]]


@pytest.mark.parametrize("other", [np.zeros((2, 3), "uint8"), np.zeros((2, 4))])
def test_a_test_set_of_another_kind_is_refused(tmp_path, other):
    with pytest.raises(UserError, match=r"(?s)0.npy and 1.npy.*float64, shape \(samples, 3\)"):
        rows(tmp_path, np.zeros((2, 3)), other)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"x": "five", "y": "four"}, r"five of shape \(5,\), four of shape \(4,\)"),
        ({"x": "none", "y": "none"}, r"none of shape \(0,\)"),
        ({"x": "five", "y": "five", "x_test": "four"}, r"dataset.y_test=null"),
        ({"x": "five", "y": "five", "y_test": "four"}, r"dataset.x_test=null"),
        ({"x": "five", "y": "five", "x_test": "four", "y_test": "five"}, "dataset.y_test do not"),
    ],
)
def test_what_belongs_together_has_one_length(tmp_path, names, said):
    np.savez(tmp_path / "a.npz", five=np.zeros(5), four=np.zeros(4), none=np.zeros(0))
    with pytest.raises(UserError, match=f"(?s){said}"):
        open_rows(str(tmp_path / "a.npz"), names, memory_map=False)


@pytest.mark.parametrize(
    ("array", "spec"),
    [
        (np.zeros((2, 8, 9), "uint8"), Spec((8, 9, 1), "uint8")),
        (np.zeros((2, 8, 9, 3), "uint16"), Spec((8, 9, 3), "uint16")),
        (np.zeros((2, 4), "float64"), Spec((4,), "float32")),
        (np.zeros((2, 4), ">f4"), Spec((4,), "float32")),
        (np.zeros((2, 4), "float16"), Spec((4,), "float16")),
        (np.zeros((2, 4), "int64"), Spec((4,), "int64")),
        (np.zeros((2, 4), "bool"), Spec((4,), "uint8")),
    ],
)
def test_inputs_keep_their_dtype_where_a_model_can_take_it(tmp_path, array, spec):
    assert input_spec(rows(tmp_path, array)) == spec


@pytest.mark.parametrize(
    "array", [np.zeros(4), np.zeros((2, 0)), np.zeros((2, 3), complex), np.zeros((2, 3), "<U2"),
              np.zeros((2, 3, 4, 5, 6))],
)  # fmt: skip
def test_what_is_no_input_is_refused(tmp_path, array):
    with pytest.raises(UserError, match=r"dataset.x: 0.npy holds no inputs"):
        input_spec(rows(tmp_path, array))


def test_what_is_not_finite_is_named(tmp_path):
    x = np.zeros((6, 2, 2))
    x[1, 0, 1], x[4, 1, 1] = np.nan, -np.inf
    found = not_finite(rows(tmp_path, x), np.array([0, 1, 3, 4]))
    assert [line.partition(":")[0] for line in found] == ["0.npy[1]", "0.npy[4]"]
    assert not_finite(rows(tmp_path, np.zeros((2, 2), int)), np.arange(2)) == []
