"""What every stream promises, and how it is split; delivery is tested in tests/loading."""

import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
from datasets.stream_sources import (
    Changing,
    Endless,
    Floats,
    Numbers,
    Ragged,
    Yields,
)
from matplotlib.figure import Figure

from reprise.config.build import build
from reprise.datasets.stream import Stream
from reprise.datasets.streams.split import StreamSplit
from reprise.errors import UserError
from reprise.spec import Spec

FRACTIONS = {"train": 0.6, "valid": 0.2, "test": 0.2}


def tiny(folder: Path) -> dict[str, object]:
    """The YAML's values for two small tables."""
    for name, count in (("a", 9), ("b", 14)):
        rows = [f"{i},{i * i},{'yes' if i % 3 else 'no'}" for i in range(count)]
        (folder / f"{name}.csv").write_text("\n".join(["one,two,label", *rows]) + "\n")
    node = {
        "_target_": "reprise.datasets.streams.table_source.TableSource",
        "files": [f"{folder}/a.csv", f"{folder}/b.csv"],
        "label": "label",
        "classes": ["no", "yes"],
    }
    return {"source": node, "split": FRACTIONS}


def table(folder: Path) -> Stream:
    return build({"_target_": "reprise.datasets.stream.Stream", **tiny(folder)})


STREAMS = {
    "numbers": lambda folder: Stream(Numbers(23, 0, 40), FRACTIONS),
    "ragged": lambda folder: Stream(Ragged(17), FRACTIONS),
    "table": table,
}


@pytest.fixture(params=STREAMS)
def stream(request, tmp_path) -> Stream:
    return STREAMS[request.param](tmp_path)


def samples(split: StreamSplit) -> list[tuple[int, int, np.ndarray, np.ndarray]]:
    """Shard, position, x and y of each sample."""
    return [(chunk.shard, *row) for chunk in split for row in zip(*chunk[1:], strict=True)]


def content(split: StreamSplit) -> list[tuple[int, int, bytes, bytes]]:
    return [(*place, x.tobytes(), y.tobytes()) for *place, x, y in samples(split)]


def test_samples_are_as_the_specs_say(stream):
    seen = 0
    for part in stream.splits().values():
        for *_, x, y in samples(part):
            for array, spec in ((x, stream.input_spec), (y, stream.target_spec)):
                assert array.dtype == spec.dtype
                assert len(array.shape) == len(spec.shape)
                pairs = zip(array.shape, spec.shape, strict=True)
                assert all(want in (None, got) for got, want in pairs)
            seen += 1
    assert seen >= 17


def test_every_reading_and_every_copy_is_the_same_and_touches_no_global_randomness(stream):
    part, copy = stream.splits()["train"], pickle.loads(pickle.dumps(stream))
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    first = content(part)
    assert len(first) > 5
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    np.random.seed(2)
    assert content(part) == content(copy.splits()["train"]) == first
    assert (copy.input_spec, copy.target_spec) == (stream.input_spec, stream.target_spec)


def test_splits_are_disjoint_and_cover_every_sample(stream):
    splits = stream.splits()
    assert list(splits) == ["train", "valid", "test"]
    places = [{found[:2] for found in content(part)} for part in splits.values()]
    assert all(places)
    source = splits["train"].source
    whole = content(StreamSplit("train", source))
    assert set.union(*places) == {found[:2] for found in whole}
    assert sum(map(len, places)) == len(whole)


def test_no_file_stays_open(tmp_path):
    part = table(tmp_path).splits()["train"]
    open_files = Path("/proc/self/fd")
    list(part)
    before = len(list(open_files.iterdir()))
    list(part)
    given_up = iter(part)
    next(given_up)
    del given_up
    assert len(list(open_files.iterdir())) == before


def test_what_is_learned_comes_from_the_train_split_and_changes_no_sample(stream):
    train = stream.splits()["train"]
    before = content(train)
    learned = stream.learn(train)
    assert json.loads(json.dumps(learned)) == learned
    assert content(train) == before
    assert pickle.loads(pickle.dumps(stream)).learn(train) == learned
    assert all(scale > 0 for scale in stream.input_spec.scale)


def test_a_sample_is_drawn_under_its_target(stream):
    *_, x, y = samples(stream.splits()["train"])[0]
    axes = Figure().subplots()
    stream.draw(axes, x, y, np.array([0.25, 0.75], np.float32))
    assert axes.get_title().startswith("truth: ")
    assert len([line for line in axes.lines if len(line.get_xdata())]) == 1  # not the legend


def test_a_sample_keeps_its_split_when_the_source_grows_at_its_end():
    few, more = (Stream(Numbers(n), FRACTIONS, split_seed=3).splits() for n in (40, 9000))
    for split in few:
        grown = content(more[split])
        assert grown[: len(content(few[split]))] == content(few[split])
        assert len(grown) == 9000 * FRACTIONS[split]


def test_a_sorted_source_is_split_evenly():
    """Any 20 neighbours give each split its share; shares below a twentieth are dealt by chance."""
    splits = Stream(Numbers(20), FRACTIONS).splits()
    assert [part.count() for part in splits.values()] == [12, 4, 4]
    splits = Stream(Numbers(400), {"train": 0.99, "valid": 0.01}).splits()
    assert 1 <= splits["valid"].count() <= 8


def test_split_seed_moves_samples_and_train_may_shrink_without_moving_the_test_set():
    def test_set(seed: int, **split: float) -> list[int]:
        parts = Stream(Numbers(200), {**FRACTIONS, **split}, split_seed=seed).splits()
        return [position for _, position, *_ in samples(parts["test"])]

    assert test_set(0) != test_set(1)
    assert test_set(0) == test_set(0, train=0.1)


def test_a_split_may_have_a_source_of_its_own():
    split = {"train": 1.0, "valid": Numbers(3), "test": None}
    splits = Stream(Numbers(30), split).splits()
    assert [len(content(splits[name])) for name in ("train", "valid")] == [30, 3]
    assert set(splits) == {"train", "valid"}


def test_offset_scale_and_counts_are_those_of_the_train_split():
    stream = Stream(Floats(50), {"train": 0.5, "valid": 0.5, "test": None})
    train = stream.splits()["train"]
    values = np.concatenate([chunk.x for chunk in train]).astype(np.float64)
    odd = sum(int(chunk.y.sum()) for chunk in train)
    learned = stream.learn(train)
    np.testing.assert_allclose(stream.input_spec.offset, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(stream.input_spec.scale, [values[:, 0].std(), 1.0], rtol=1e-12)
    assert stream.target_spec.counts == (len(values) - odd, odd)
    assert learned["counts"] == {"even": len(values) - odd, "odd": odd}
    assert learned["num_samples"] == train.num_samples == len(values)


@pytest.mark.parametrize("source", [Numbers(9), Endless()])
def test_integers_and_stated_scales_are_not_read(source):
    stream = Stream(source, {"train": 0.9, "valid": 0.1})
    assert stream.learn(stream.splits()["train"]) == {}
    assert (stream.input_spec, stream.splits()["train"].num_samples) == (source.input_spec, None)


def test_a_few_samples_can_be_kept():
    stream = Stream(Numbers(5, 40), FRACTIONS)
    train = stream.splits()["train"]
    few = stream.first(train, 6)
    assert [f[2:] for f in content(few)] == [f[2:] for f in content(train)[:6]]
    assert stream.first(train, 1000).count() == train.count()


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([1.5, 2], 0, r"x is not .*(?s:.*)int64.*(?s:.*)\[1.5, 2\]"),
        ([1, 2, 3], 0, r"sample 0: x is not"),
        ([[1, 2], [3]], 0, r"x is not"),
        (["a", "b"], 0, r"x is not"),
        (np.zeros(2, np.int32), 0, r"received  shape \(2,\), int32"),
        ([1, 2], 2, r"y is not(?s:.*)0 to 1(?s:.*)received  2"),
        ([1, 2], -1, r"y is not"),
        ([1, 2], None, r"y is not"),
        ([1, 2], 0.5, r"y is not"),
    ],
)
def test_what_was_not_announced_is_named(x, y, said):
    part = Stream(Yields(x, y), {"train": 1.0, "valid": 0.0}).splits()["train"]
    with pytest.raises(UserError, match=said):
        list(part)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.array([[0, 0], [1, np.inf]], np.float32), np.zeros(2, np.int32), "sample 1: x"),
        (np.zeros((2, 2), np.float32), np.array([0, 3], np.int32), "sample 1: y"),
    ],
)
def test_a_row_of_a_block_that_does_not_fit_is_named(x, y, said):
    source = Floats()
    source.blocks = lambda shard: iter([(x, y)])
    with pytest.raises(UserError, match=said):
        StreamSplit("train", source).count()


def test_numbers_take_the_announced_dtype():
    part = Stream(Yields((1, 2.0), np.int64(1)), {"train": 1.0, "valid": 0.0}).splits()["train"]
    assert content(part) == [(0, 0, np.array([1, 2]).tobytes(), np.int32(1).tobytes())]


def test_another_number_of_samples_than_before_is_refused():
    part = Stream(Changing(-1, 9), {"train": 1.0, "valid": 0.0}).splits()["train"]
    assert part.count() == 8
    with pytest.raises(UserError, match=r"(?s)'train' of the stream has changed.*8.*7 samples"):
        part.count()


def test_check_names_what_stopped_each_split():
    stream = Stream(Yields([1, 2], 7), {"train": 1.0, "valid": Numbers(0), "test": Numbers(3)})
    problems = stream.problems(stream.splits(), thorough=True)
    assert len(problems) == 2
    assert "Yields, sample 0: y" in problems[0]
    assert "'valid' of the stream is empty" in problems[1]


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"train": 0.5}, "incomplete"),
        ({"train": None, "valid": 0.5}, "incomplete"),
        ({"train": Numbers(), "valid": 0.5}, r"incomplete(?s:.*)train: a source"),
        ({"train": 0.9, "valid": 0.2}, "do not divide"),
        ({"train": 1.0, "valid": Ragged()}, r"split.valid announces other(?s:.*)int64(?s:.*)None"),
        ({"train": 1.0, "valid": "b.csv"}, r"split.valid is no source(?s:.*)str"),
    ],
)
def test_wrong_splits_are_refused(split, said):
    with pytest.raises(UserError, match=said):
        Stream(Numbers(), split)


def test_a_generator_is_no_source():
    with pytest.raises(UserError, match=r"(?s)dataset.source is no source.*Source.*generator"):
        Stream((n for n in range(3)), FRACTIONS)  # type: ignore[arg-type]


def test_padding_must_fit_the_dtype():
    source = Ragged()
    source.input_spec = Spec((None, 2), "uint8")
    with pytest.raises(UserError, match=r"(?s)pad_value.*uint8.*-1"):
        Stream(source, FRACTIONS, pad_value=-1)
