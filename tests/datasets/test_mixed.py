"""Two datasets as one: every sample is where it belongs, in the order that was asked for."""

import pickle
from pathlib import Path

import numpy as np

from reprise.datasets.base import Dataset
from reprise.datasets.mixed import Mixed
from reprise.spec import Spec


class Counted(Dataset):
    """Sample i is `first + i`, to which a random number is added where one is given."""

    in_memory = True

    def __init__(self, first: int, count: int) -> None:
        self.first, self.count = first, count
        self.input_spec = Spec((2,), "float64")
        self.target_spec = Spec((), "int32", ("even", "odd"))
        self.calls = 0

    def __len__(self) -> int:
        return self.count

    def read(self, index, rng):
        noise = 0 if rng is None else rng.random()
        return np.full(2, self.first + index + noise), np.int32((self.first + index) % 2)

    def read_many(self, indices, rngs):
        self.calls += 1
        return super().read_many(indices, rngs)

    def name(self, index):
        return f"{self.first}+{index}"

    def splits(self):
        return {"train": np.arange(self.count - 1), "valid": np.array([self.count - 1])}

    @property
    def sources(self):
        return (Path(f"of-{self.first}"),)

    def draw(self, axes, x, y, prediction=None):
        axes.append((self.first, x))


def test_a_batch_keeps_its_order_and_asks_each_dataset_once():
    mixed = Mixed(Counted(0, 5), Counted(100, 4))
    x, y = mixed.read_many(np.array([7, 0, 4, 5, 8, 1]), [None] * 6)
    assert x[:, 0].tolist() == [102, 0, 4, 100, 103, 1]
    assert y.tolist() == [0, 0, 0, 0, 1, 1]
    assert (y.dtype, len(mixed)) == (np.int32, 9)
    assert (mixed._new.calls, mixed._old.calls) == (1, 1)


def test_every_sample_has_the_randomness_that_belongs_to_it():
    mixed = Mixed(Counted(0, 3), Counted(100, 3))
    indices = np.array([5, 1, 3])
    rngs = [np.random.default_rng(int(at)) for at in indices]
    x, _ = mixed.read_many(indices, rngs)
    single = [mixed.read(int(at), np.random.default_rng(int(at)))[0] for at in indices]
    assert np.array_equal(x, single)


def test_names_groups_sources_and_pickling():
    mixed = pickle.loads(pickle.dumps(Mixed(Counted(0, 2), Counted(0, 2))))
    assert [mixed.name(at) for at in range(4)] == ["0+0", "0+1", "old: 0+0", "old: 0+1"]
    assert mixed.group(0) == mixed.group(2)  # the same sample, wherever it is found
    assert len(mixed.sources) == 2
    assert mixed.splits()["train"].tolist() == [0]
    assert mixed.in_memory
    axes = []
    mixed.draw(axes, 9, 0)
    assert axes == [(0, 9)]
