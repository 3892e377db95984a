"""Arrays in files and their rows; nothing is unpickled."""

import pickle

import numpy as np
import pytest

from reprise.datasets.array_files import Rows, find_array, open_rows
from reprise.errors import UserError


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("dtype", ["uint8", "float64", ">i4", "bool", "<U5"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_head_says_what_the_array_is(tmp_path, dtype, save):
    array = np.zeros((3, 2), dtype)
    np.save(tmp_path / "a.npy", array)
    save(tmp_path / "a.npz", one=array, other=np.zeros(3))
    for file, name in ((None, str(tmp_path / "a.npy")), (str(tmp_path / "a.npz"), "one")):
        found = find_array(file, name, "dataset.x")
        assert (found.shape, found.dtype) == ((3, 2), np.dtype(dtype))
        assert np.array_equal(found.load(), array)
    assert found.name == "one"


def test_a_memory_map_leaves_the_array_on_disk(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(4))
    found = find_array(None, str(tmp_path / "a.npy"), "dataset.x")
    assert isinstance(found.load(memory_map=True), np.memmap)
    assert not isinstance(found.load(), np.memmap)
    assert found.name == "a.npy"


@pytest.mark.parametrize("kind", ["npz", "npy", "raw"])
def test_pickled_objects_are_refused_and_never_opened(tmp_path, kind):
    bomb = np.array([Bomb(tmp_path / "exploded")], object)
    path = tmp_path / f"bomb.{kind}"
    if kind == "npz":
        np.savez(path, x=bomb)
    elif kind == "npy":
        np.save(path, bomb)
    else:
        path.write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(UserError, match=r"bomb"):
        find_array(str(path) if kind == "npz" else None, "x" if kind == "npz" else str(path), "k")
    assert not (tmp_path / "exploded").exists()
    if kind == "npz":
        with pytest.raises(UserError, match=r"(?s)'x' in .*bomb.npz holds Python objects.*never"):
            find_array(str(path), "x", "dataset.x")


def test_an_array_that_is_not_in_the_file(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros(3), labels=np.zeros(3))
    with pytest.raises(UserError, match=r"(?s)dataset.x: .*a.npz has no array 'x'.*images, labels"):
        find_array(str(tmp_path / "a.npz"), "x", "dataset.x")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY\x09\x00rest", None])
def test_what_is_no_array_file_is_named(tmp_path, content):
    path = tmp_path / "a.npy"
    if content is not None:
        path.write_bytes(content)
    for file, name in ((None, str(path)), (str(path), "x")):
        with pytest.raises(UserError, match=r"a.npy cannot be read"):
            find_array(file, name, "dataset.x")


def test_a_single_value_is_no_array(tmp_path):
    np.save(tmp_path / "a.npy", np.float32(3))
    with pytest.raises(UserError, match=r"(?s)a.npy cannot be read.*single value"):
        find_array(None, str(tmp_path / "a.npy"), "dataset.x")


@pytest.mark.parametrize("memory_map", [False, True])
def test_a_cut_file_is_named_when_it_is_loaded(tmp_path, memory_map):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(1000))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"a.npy cannot be read"):
        find_array(None, str(path), "dataset.x").load(memory_map=memory_map)


def test_a_damaged_member_is_named_when_it_is_loaded(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(1000))
    data = bytearray(path.read_bytes())
    data[4000] ^= 255
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"a.npz cannot be read at 'x'"):
        find_array(str(path), "x", "dataset.x").load()


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


def test_chunks_walk_through_rows_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("reprise.datasets.array_files._CHUNK", 48)  # three rows
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
