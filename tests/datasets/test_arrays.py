"""Arrays as samples: what the file has is what a model gets."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reprise.datasets.arrays import Arrays, array_targets
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.augment import Augment

HALVES = {"train": 0.5, "valid": 0.5, "test": None}


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 12, 10), np.uint8)


def tiny(folder: Path) -> dict[str, Any]:
    """Values for conf/dataset/arrays.yaml: 13 noisy grey pictures of three classes."""
    np.savez(folder / "tiny.npz", x=pictures(13), y=np.arange(13) % 3)
    augment = {"rotation_range": 20, "horizontal_flip": True, "brightness_range": [0.5, 2.0]}
    return {"file": str(folder / "tiny.npz"), "augment": augment}


@pytest.fixture
def save(tmp_path):
    def write(**arrays: Any) -> dict[str, Any]:
        np.savez(tmp_path / "a.npz", **arrays)
        return {"file": str(tmp_path / "a.npz"), "x": "x", "y": "y", "split": HALVES}

    return write


def test_every_value_is_the_files_own(save):
    """One generator divided a batch by 255 once for each of its samples."""
    x = pictures(9)
    dataset = Arrays(**save(x=x, y=np.arange(9)))
    assert dataset.input_spec == Spec((12, 10, 1), "uint8")
    assert dataset.target_spec == Spec((), "int32", tuple("012345678"))
    indices = np.array([8, 0, 3])
    batch = dataset.read_many(indices, [None] * 3)
    assert np.array_equal(batch[0][..., 0], x[indices])
    assert batch[1].tolist() == [8, 0, 3]
    assert sum(map(len, dataset.splits().values())) == 9  # and none is dropped


def test_a_batch_is_a_copy(save):
    dataset = Arrays(**save(x=pictures(4), y=np.zeros(4, int)))
    batch = dataset.read_many(np.arange(4), [None] * 4)[0]
    batch[:] = 0
    assert np.array_equal(dataset.read(2, None)[0][..., 0], pictures(4)[2])


def test_a_test_set_comes_after_the_rest(save):
    keys = save(x=pictures(10), y=np.zeros(10, int), xt=pictures(3)[::-1], yt=np.ones(3, int))
    dataset = Arrays(**keys, x_test="xt", y_test="yt")
    assert dataset.splits()["test"].tolist() == [10, 11, 12]
    assert np.array_equal(dataset.read(10, None)[0][..., 0], pictures(3)[2])
    assert [dataset.read(at, None)[1] for at in (9, 10)] == [0, 1]
    assert [dataset.name(at) for at in (9, 10)] == ["x[9]", "xt[0]"]


def test_splits_by_files_of_indices(save, tmp_path):
    keys = save(x=pictures(6), y=np.zeros(6, int))
    np.save(tmp_path / "train.npy", np.array([5, 0]))
    (tmp_path / "valid.txt").write_text("1\n4\n")
    files = {"train": str(tmp_path / "train.npy"), "valid": str(tmp_path / "valid.txt")}
    splits = Arrays(**{**keys, "split": files}).splits()
    assert {name: own.tolist() for name, own in splits.items()} == {"train": [0, 5],
                                                                    "valid": [1, 4]}  # fmt: skip
    assert str(tmp_path / "train.npy") in map(str, Arrays(**{**keys, "split": files}).sources)
    np.save(tmp_path / "train.npy", np.array([5, 6]))
    with pytest.raises(UserError, match=r"train.npy, line 2: there is no sample '6'"):
        Arrays(**{**keys, "split": files}).splits()


@pytest.mark.parametrize("memory_map", [False, True])
def test_npy_files_in_memory_or_mapped_into_it(tmp_path, memory_map):
    x = np.random.default_rng(0).normal(size=(8, 5))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x[:, 0])
    paths = {"x": str(tmp_path / "x.npy"), "y": str(tmp_path / "y.npy")}
    dataset = Arrays(None, **paths, split=HALVES, target="value", memory_map=memory_map)
    assert dataset.input_spec == Spec((5,), "float32")
    batch = dataset.read_many(np.array([7, 1]), [None] * 2)
    assert batch[0].dtype == np.float32
    assert np.array_equal(batch[0], x[[7, 1]].astype(np.float32))
    assert np.array_equal(batch[1], x[[7, 1], 0].astype(np.float32))


def test_a_copy_for_a_worker_carries_no_array(save):
    dataset = Arrays(**save(x=np.zeros((500, 400)), y=np.zeros((500, 50))), target="value")
    dataset.learn(np.arange(10))
    dataset.read(0, None)
    data = pickle.dumps(dataset)
    assert len(data) < 20_000
    assert pickle.loads(data).target_spec == dataset.target_spec
    assert pickle.loads(data).read(499, None)[1].shape == (50,)


def test_threads_load_the_arrays_once(save, monkeypatch):
    dataset = pickle.loads(pickle.dumps(Arrays(**save(x=pictures(50), y=np.zeros(50, int)))))
    loaded, load = [], np.load
    monkeypatch.setattr(np, "load", lambda *a, **k: (loaded.append(a[0]), load(*a, **k))[1])
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda at: dataset.read(at, None), range(50)))
    assert len(loaded) == 2  # x and y


def test_augmentation_changes_pictures_in_training_alone(save):
    keys = save(x=pictures(4), y=np.zeros(4, int))
    dataset = Arrays(**keys, augment=Augment(horizontal_flip=True))
    flipped = {dataset.read(1, np.random.default_rng(at))[0].tobytes() for at in range(20)}
    assert flipped == {pictures(4)[1].tobytes(), pictures(4)[1][:, ::-1].tobytes()}
    assert dataset.read(1, None)[0].tobytes() == pictures(4)[1].tobytes()


def test_what_changes_nothing_is_no_augmentation(save):
    """The YAML's own defaults stand beside rows of numbers, too."""
    keys = save(x=np.zeros((4, 3)), y=np.zeros(4, int))
    assert Arrays(**keys, augment=Augment()).read(0, np.random.default_rng(0))[0].shape == (3,)
    with pytest.raises(UserError, match=r"(?s)dataset.augment.*float32.*dataset.augment=null"):
        Arrays(**keys, augment=Augment(rotation_range=10))


def test_numbers_are_learned_from_the_train_split_and_pictures_are_not(save):
    x = np.array([[0, 10], [2, 10], [100, 99]], "int32")
    dataset = Arrays(**save(x=x, y=np.array([0, 0, 1])))
    learned = dataset.learn(np.array([1, 0]))
    assert (dataset.input_spec.offset, dataset.input_spec.scale) == ((1.0, 10.0), (1.0, 1.0))
    assert learned == {"offset": [1, 10], "scale": [1, 1], "counts": {"0": 2, "1": 0}}
    picture = Arrays(**save(x=pictures(4), y=np.zeros(4, int)))
    assert picture.learn(np.arange(3)) == {"counts": {"0": 3}}
    assert picture.input_spec.scale == ()


def test_nan_is_found_before_training(save, tmp_path):
    x = np.zeros((6, 2))
    x[4, 1] = np.nan
    dataset = Arrays(**save(x=x, y=np.zeros(6, int)))
    assert dataset.check(np.arange(4)) == []
    assert dataset.check(np.array([5, 4]))[0].startswith("x[4]: expected finite numbers")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.zeros(6, int))
    paths = {"x": str(tmp_path / "x.npy"), "y": str(tmp_path / "y.npy")}
    mapped = Arrays(None, **paths, split=HALVES, memory_map=True)
    assert mapped.check(np.arange(6)) == []
    assert len(mapped.check(np.arange(6), thorough=True)) == 1


def test_a_memory_map_of_an_archive_is_refused(save):
    keys = save(x=pictures(4), y=np.zeros(4, int))
    with pytest.raises(UserError, match=r"(?s)memory_map does not go with.*np.save"):
        Arrays(**keys, memory_map=True)


@pytest.mark.parametrize(
    ("x", "spec"),
    [
        (np.zeros((2, 8, 9), "uint8"), Spec((8, 9, 1), "uint8")),
        (np.zeros((2, 8, 9, 3), "uint16"), Spec((8, 9, 3), "uint16")),
        (np.zeros((2, 4), "float64"), Spec((4,), "float32")),
        (np.zeros((2, 4), ">f4"), Spec((4,), "float32")),
        (np.zeros((2, 4), "float16"), Spec((4,), "float16")),
        (np.zeros((2, 4), "int64"), Spec((4,), "int64")),
        (np.zeros((2, 4), "bool"), Spec((4,), "uint8", scale=(1.0,))),
    ],
)
def test_inputs_keep_their_dtype_where_a_model_can_take_it(save, x, spec):
    assert Arrays(**save(x=x, y=np.zeros(2, int))).input_spec == spec


@pytest.mark.parametrize(
    "x", [np.zeros(4), np.zeros((4, 0)), np.zeros((4, 3), complex), np.zeros((4, 3), "<U2"),
          np.zeros((4, 3, 4, 5, 6))],
)  # fmt: skip
def test_what_is_no_input_is_refused(save, x):
    with pytest.raises(UserError, match=r"dataset.x: x holds no inputs"):
        Arrays(**save(x=x, y=np.zeros(4, int)))


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


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 20, 30), (13, 64, 64), (3, 4, 4)])
def test_channels_first_are_refused_until_they_are_chosen(save, shape):
    x = np.random.default_rng(0).random((4, *shape), np.float32)
    keys = save(x=x, y=np.arange(4) % 2)
    with pytest.raises(
        UserError, match=rf"(?s)channels first.*height {shape[0]}, .*channels_first=true"
    ):
        Arrays(**keys)
    dataset = Arrays(**keys, channels_first=True)
    assert dataset.input_spec.shape == (*shape[1:], shape[0])
    batch = dataset.read_many(np.array([2, 0]), [None] * 2)[0]
    assert np.array_equal(batch, np.moveaxis(x, 1, -1)[[2, 0]])
    dataset.learn(np.arange(4))
    assert np.allclose(dataset.input_spec.offset, x.mean((0, 2, 3)))
    assert Arrays(**keys, channels_first=False).read(0, None)[0].shape == shape


@pytest.mark.parametrize(
    ("shape", "notes"),
    [((3, 32, 3), 1), ((1, 28, 1), 1), ((4, 4, 3), 0), ((28, 28), 0), ((32, 32, 3), 0)],
)
def test_shapes_that_allow_both_readings_are_mentioned(save, shape, notes):
    keys = save(x=np.full((4, *shape), 9, np.uint8), y=np.arange(4) % 2)
    said = Arrays(**keys).notes
    assert len(said) == notes
    assert not Arrays(**keys, channels_first=False).notes
    assert all("channels_first=true" in line for line in said)


def test_channels_first_without_channels_are_refused(save):
    with pytest.raises(UserError, match="channels_first=true has no effect"):
        Arrays(**save(x=np.zeros((4, 8, 8)), y=np.arange(4) % 2), channels_first=True)


MILLISECONDS = 1_700_000_000_000 + 1000 * np.arange(100)


@pytest.mark.parametrize("dtype", ["int64", "float64", "uint64"])
def test_numbers_that_float32_merges_are_refused_with_figures(save, dtype):
    x = np.stack([np.arange(100), MILLISECONDS], 1).astype(dtype)
    dataset = Arrays(**save(x=x, y=np.arange(100) % 2))
    with pytest.raises(UserError, match=r"(?s)x\[..., 1\].*100 different values, 1700000000000 to"):
        dataset.check(np.arange(100))
    assert not Arrays(**save(x=x[:, :1] * 2.5, y=np.arange(100) % 2)).check(np.arange(100))
    with pytest.raises(UserError, match=r"(?s)too large for what they differ by.*100 different"):
        Arrays(**save(x=x[:, :1], y=MILLISECONDS.astype(dtype)), target="value")


def test_a_scale_that_leaves_nothing_to_see_is_mentioned(save):
    y = np.arange(8) % 2
    for x, notes in (
        (np.ones((8, 6, 6), np.uint8), 1),
        (np.full((8, 6, 6), 255, np.uint16), 1),
        (np.full((8, 6, 6), 4095, np.uint16), 0),
        (np.full((8, 6, 6), 2, np.uint8), 0),
    ):
        assert len(Arrays(**save(x=x, y=y)).notes) == notes
    dataset = Arrays(**save(x=np.ones((8, 6, 6), bool), y=y))
    assert not dataset.notes
    dataset.learn(np.arange(8))
    assert dataset.input_spec.scale == (1.0,)
