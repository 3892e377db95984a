"""Many rows at once, against the same rows one by one."""

from itertools import islice

import numpy as np
import pytest

from reprise.datasets.stream import Stream
from reprise.datasets.streams.source import Source
from reprise.errors import UserError
from reprise.loading.loader import Loader
from reprise.loading.stream_batches import rebatched, shuffled
from reprise.spec import Spec


class Rows(Source):
    """Numbered rows, in blocks of the lengths it is given or, with none, one by one."""

    def __init__(self, count: int, lengths: tuple[int, ...]) -> None:
        self.count, self.lengths = count, lengths
        self.input_spec = Spec((2,), "float32", offset=(0.0, 0.0), scale=(1.0, 1.0))
        self.target_spec = Spec((), "int32", ("a", "b", "c"))

    def samples(self, shard):
        for at in range(self.count):
            yield np.array([at, -at], np.float32), at % 3

    def blocks(self, shard):
        return self._blocks() if self.lengths else None

    def _blocks(self):
        at = 0
        for length in cut(self.count, self.lengths):
            numbers = np.arange(at, at + length)
            x = np.stack([numbers, -numbers], axis=1).astype(np.float32)
            yield x, (numbers % 3).astype(np.int32)
            at += length


def cut(count, lengths):
    """These lengths, again and again, until there are `count`."""
    at = 0
    while count:
        length = min(count, lengths[at % len(lengths)])
        yield length
        count, at = count - length, at + 1


def blocks_of(count, lengths):
    at = 0
    for length in cut(count, lengths):
        yield np.arange(at, at + length), np.arange(at, at + length) % 7
        at += length


def shuffled_one_by_one(items, size, rng):
    """The promised order, written out."""
    source, places = iter(items), []
    buffer = list(islice(source, size))
    for item in source:
        places = places or rng.integers(size, size=1024).tolist()
        at = places.pop()
        yield buffer[at]
        buffer[at] = item
    yield from (buffer[at] for at in rng.permutation(len(buffer)).tolist())


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 2500])
@pytest.mark.parametrize("size", [1, 10, 1000, 5000])
@pytest.mark.parametrize("lengths", [(1,), (700,), (3, 0, 40, 1)])
def test_the_order_is_that_of_one_by_one(count, size, lengths):
    expected = list(shuffled_one_by_one(range(count), size, np.random.default_rng(5)))
    found = list(shuffled(blocks_of(count, lengths), size, np.random.default_rng(5)))
    rows = np.concatenate([x for x, _ in found]).tolist() if found else []
    assert rows == expected
    assert all(np.array_equal(y, x % 7) for x, y in found)


@pytest.mark.parametrize("lengths", [(1,), (7,), (100,), (3, 0, 40, 1)])
def test_batches_have_their_size_but_the_last(lengths):
    found = list(rebatched(blocks_of(45, lengths), 10))
    assert [len(x) for x, _ in found] == [10, 10, 10, 10, 5]
    assert np.concatenate([x for x, _ in found]).tolist() == list(range(45))
    assert [len(x) for x, _ in rebatched(blocks_of(40, lengths), 10)] == [10, 10, 10, 10]
    assert list(rebatched(iter([]), 10)) == []


@pytest.mark.parametrize("split", ["train", "valid"])
@pytest.mark.parametrize("start", [0, 3, 12])
def test_a_loader_gives_the_same_bytes_in_blocks_one_by_one_and_by_a_worker(split, start):
    def batches(lengths, workers):
        stream = Stream(Rows(500, lengths), {"train": 0.6, "valid": 0.4}, 1, shuffle_buffer=64)
        options = {"batch_size": 32, "workers": workers, "use_multiprocessing": False}
        part = stream.splits()[split]
        with Loader(stream, part, split=split, seed=3, **options) as loader:
            steps = loader.batches(start, start + 15)
            return [(x.tobytes(), y.tobytes(), x.shape, x.dtype, y.dtype) for x, y in steps]

    alone = batches((), 0)
    assert len({x for x, *_ in alone}) > 5
    assert batches((40, 1, 7), 0) == batches((1000,), 0) == batches((40, 1, 7), 1) == alone


def test_a_row_of_a_block_that_does_not_fit_is_named():
    class Wrong(Rows):
        def _blocks(self):
            yield np.array([[0, 0], [1, np.inf]], np.float32), np.zeros(2, np.int32)

    class Unknown(Rows):
        def _blocks(self):
            yield np.zeros((2, 2), np.float32), np.array([0, 3], np.int32)

    for kind, said in ((Wrong, "sample 1: x"), (Unknown, "sample 1: y")):
        stream = Stream(kind(2, (2,)), {"train": 1.0, "valid": 0.0})
        with pytest.raises(UserError, match=said):
            stream.splits()["train"].count()
