"""Sources that do not behave: what changes from pass to pass, yields no pairs, or never ends."""

import random
import re
import time
from array import array

import numpy as np
import pytest
from datasets.stream_sources import Changing, Endless, Floats, Numbers

from reprise.datasets.stream import Stream
from reprise.datasets.streams import split
from reprise.datasets.streams.passes import compare_passes
from reprise.datasets.streams.source import Source
from reprise.datasets.streams.split import StreamSplit
from reprise.errors import UserError
from reprise.spec import Spec

FRACTIONS = {"train": 0.6, "valid": 0.2, "test": 0.2}


class Odd(Numbers):
    """Samples as a function says; it gets the number of the reading."""

    def __init__(self, make, shards=1) -> None:
        super().__init__(*[60] * shards)
        self.make, self.readings = make, 0

    def samples(self, shard):
        self.readings += 1
        return self.make(self.readings)


def pairs(numbers):
    return [([number, 0], number % 2) for number in numbers]


def shuffled(_):
    return pairs(random.sample(range(60), 60))


def drawn(_):
    return pairs(np.random.randint(0, 99, 60).tolist())


def late(reading):
    return pairs([*range(59), reading])


def once():
    samples = iter(pairs(range(60)))
    return lambda _: samples


class Sets(Numbers):
    """The order of a set of texts is another one in each process."""

    def samples(self, shard):
        yield from pairs(int(name) for name in {str(number) for number in range(60)})


def problems(source, thorough=False):
    stream = Stream(source, FRACTIONS)
    return stream.problems(stream.splits(), thorough=thorough)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Odd(shuffled), "the same in another order, from sample"),
        (Odd(drawn), "others, from sample 0 on"),
        (Odd(late), "others, from sample 59 on"),
        (Odd(once()), "its generator was used up"),
        (Odd(lambda reading: pairs(range(60 - reading))), "received 59, then 58 samples"),
        (Changing(1, 20), "received 21, then 22 samples"),
    ],
)
def test_a_source_that_changes_is_refused_before_anything_is_trained(source, said):
    (line,) = problems(source)
    assert "changes from pass to pass" in line
    assert said in line


def test_a_source_that_changes_from_process_to_process_is_refused_by_check_data(monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    (line,) = problems(Sets(), thorough=True)
    assert "in another process; sort what comes from a set" in line
    assert compare_passes(Numbers(60), elsewhere=True).limits == [1000]


def test_a_source_that_is_another_whenever_it_is_made_is_named():
    first, second = Odd(lambda _: pairs(range(60))), Odd(lambda _: pairs(range(59, -1, -1)))
    assert Stream(first, FRACTIONS).changes(Stream(first, FRACTIONS)) == []
    (line,) = Stream(first, FRACTIONS).changes(Stream(second, FRACTIONS))
    assert "the same in another order, from sample 0 on, when it is read from an object" in line
    assert "draw nothing without a seed in __init__" in line


@pytest.mark.parametrize("buffer", [array("q", [0, 0]), [0, 0], np.zeros(2, np.int64)], ids=type)
def test_a_buffer_that_every_sample_is_written_to_is_copied(buffer):
    def refilled(_):
        for number in range(60):
            buffer[0] = number
            yield buffer, number % 2

    chunks = [*StreamSplit("train", Odd(refilled))]
    assert np.concatenate([chunk.x for chunk in chunks])[:, 0].tolist() == [*range(60)]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, r"samples\(0\) gives no samples: received None; have samples\(\) yield"),
        (lambda _: [(0, 1, 2)], r"sample 0 is no pair: received \(0, 1, 2\)"),
        (lambda _: [0], "sample 0 is no pair: received 0"),
        (lambda _: [(1, [0, 1])], "x is not what.* the wrong way round"),
        (lambda _: [([0, 1], None)], "sample 0: y is not what.*None"),
        (lambda _: [], "the split 'train' of the stream is empty"),
        (lambda _: (1 / 0 for _ in "a"), "ZeroDivisionError: .*after 0 samples"),
    ],
)
def test_what_is_no_sample_is_refused(make, said):
    found = problems(Odd(make))
    assert found
    assert re.search(said, found[0])


def test_shards_with_the_same_samples_are_refused():
    (line,) = problems(Odd(lambda _: pairs(range(60)), shards=3))
    assert "Odd, shard 1 yields the samples of Odd, shard 0" in line
    assert problems(Odd(lambda _: pairs([5, 5]), shards=3)) == []


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ((np.zeros((5, 2), np.int64), np.zeros(4, np.int32)), "not as many x as y: received 5 x"),
        ((np.zeros((4, 2), np.int64), np.zeros(5, np.int32)), "not as many x as y: received 4 x"),
        (np.zeros((4, 2), np.int64), "a block of Odd is no pair"),
    ],
)
def test_what_is_no_block_is_refused(block, said):
    source = Odd(drawn)
    source.blocks = lambda shard: iter([block])
    assert said in problems(source)[0]


@pytest.mark.parametrize("kind", [np.array, list])
def test_an_array_that_is_filled_anew_for_each_sample_is_copied(kind):
    class Reuses(Numbers):
        def samples(self, shard):
            x = kind([0, 0])
            for number in range(60):
                x[0] = number
                yield x, 0

    whole = Stream(Reuses(), {"train": 1.0, "valid": 0.0}).splits()["train"]
    assert np.concatenate([chunk.x for chunk in whole])[:, 0].tolist() == [*range(60)]


def test_take_ends_a_source_without_an_end():
    class Blocks(Floats):
        def blocks(self, shard):
            while True:
                yield np.ones((40, 2), np.float32), np.zeros(40, np.int32)

    for source in (Endless(), Blocks()):
        stream = Stream(source, FRACTIONS, take=100)
        assert [part.count() for part in stream.splits().values()] == [60, 20, 20]
        assert stream.problems(stream.splits(), thorough=True) == []
    stream = Stream(Numbers(7, 50), {"train": 1.0, "valid": 0.0}, take=20)
    assert stream.splits()["train"].count() == 27


@pytest.mark.parametrize(
    "hangs", [lambda stream, part: part.count(), lambda stream, part: stream.first(part, 10**9)]
)
def test_within_a_second_a_source_without_an_end_is_told_what_ends_it(hangs, capsys):
    class Enough(Endless):
        def samples(self, shard):
            end = time.monotonic() + 1.4
            for sample in super().samples(shard):
                if time.monotonic() > end:
                    raise KeyboardInterrupt
                yield sample

    stream = Stream(Enough(), {"train": 1.0, "valid": 0.0})
    with pytest.raises(KeyboardInterrupt):
        hangs(stream, stream.splits()["train"])
    said = capsys.readouterr().err
    assert said.count("note:") == 1
    assert split.ENDLESS in said
    assert "samples so far" in said


def test_a_slow_source_is_looked_at_for_a_moment_and_said_to_be_slow():
    class Slow(Numbers):
        def samples(self, shard):
            for sample in super().samples(shard):
                time.sleep(0.05)
                yield sample

    stream, began = Stream(Slow(500), FRACTIONS), time.monotonic()
    assert stream.problems(stream.splits()) == []
    assert time.monotonic() - began < 3
    assert "the first batch comes after dataset.shuffle_buffer=1000 samples" in stream.notes[0]


def test_a_split_of_its_own_that_has_the_samples_of_train_is_noted():
    stream = Stream(Numbers(50), {"train": 1.0, "valid": Numbers(40)})
    assert stream.problems(stream.splits()) == []
    assert "40 of the first 40 samples of dataset.split.valid are among" in stream.notes[0]


def test_a_run_is_not_opened_over_other_samples_than_it_began_with():
    def opened(first: int) -> Stream:
        stream = Stream(Odd(lambda _: pairs(range(first, first + 60))), FRACTIONS)
        assert stream.problems(stream.splits()) == []
        return stream

    stream = opened(0)
    recorded = {name: stream.record(part) for name, part in stream.splits().items()}
    assert opened(0).restore(recorded, opened(0).splits())
    with pytest.raises(UserError, match="other samples than when the run began"):
        opened(1).restore(recorded, opened(1).splits())
    for own in recorded.values():
        del own["first"]  # as runs before November 2026 have it
    assert opened(1).restore(recorded, opened(1).splits())


@pytest.mark.parametrize("lacks", ["input_spec", "target_spec", "num_shards"])
def test_a_source_that_does_not_say_what_it_yields_is_refused(lacks):
    class Silent(Source):
        input_spec = Spec((2,), "int64")
        target_spec = Spec((), "int32", ("a", "b"))

        def samples(self, shard):
            yield [0, 0], 0

    setattr(Silent, lacks, None)
    with pytest.raises(UserError, match=rf"(?s)does not say what it yields.*{lacks} = None"):
        Stream(Silent(), FRACTIONS)
