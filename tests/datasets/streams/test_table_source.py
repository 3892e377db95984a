import numpy as np
import pandas as pd
import pytest

from reprise.datasets.streams import table_source
from reprise.datasets.streams.source import Source
from reprise.datasets.streams.split import StreamSplit
from reprise.datasets.streams.table_source import TableSource
from reprise.errors import UserError

CLASSES = ["no", "yes"]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(table_source, "_ROWS", 1000)


def write(folder, count=2500, name="a.csv", change=("", "")):
    rows = [f"{i}.5,{i * i},{'no' if i % 2 else 'yes'}" for i in range(count)]
    text = "\n".join(["one,two,label", *rows]) + "\n"
    (folder / name).write_text(text.replace(*change) if change[0] else text)
    return str(folder / name)


def test_rows_come_in_order_over_more_than_one_chunk(tmp_path):
    source = TableSource(write(tmp_path), "label", classes=CLASSES)
    samples = list(source.samples(0))
    assert len(samples) == 2500
    for at in (0, 999, 1000, 2499):
        x, y = samples[at]
        assert (x.tolist(), int(y)) == ([at + 0.5, float(np.float32(at * at))], (at + 1) % 2)
    assert (x.dtype, y.dtype) == (np.float32, np.int32)
    assert (source.input_spec.shape, source.target_spec.classes) == ((2,), ("no", "yes"))


def test_each_file_is_a_shard(tmp_path):
    files = [write(tmp_path, n, f"{n}.csv") for n in (3, 5)]
    source = TableSource(files, "label", classes=CLASSES)
    assert [len(list(source.samples(shard))) for shard in range(source.num_shards)] == [3, 5]
    assert source.shard_name(1) == files[1]
    assert [str(path) for path in source.paths] == files


def test_parquet_gives_the_same(tmp_path):
    file = write(tmp_path)
    pd.read_csv(file).to_parquet(tmp_path / "a.parquet")
    both = [
        TableSource(path, "label", classes=CLASSES) for path in (file, str(tmp_path / "a.parquet"))
    ]
    (x, y), (p, q) = (zip(*source.samples(0), strict=True) for source in both)
    assert np.array_equal(x, p)
    assert np.array_equal(y, q)


def test_values_and_labels_may_be_the_target(tmp_path):
    file = write(tmp_path, 5)
    source = TableSource(file, "two", target="value", columns=["one"])
    assert [(x.tolist(), float(y)) for x, y in source.samples(0)][2] == ([2.5], 4.0)
    assert source.target_spec.shape == ()
    path = tmp_path / "flags.csv"
    path.write_text("w,cat,dog\n1,0,1\n2,1,1\n")
    source = TableSource(str(path), ["cat", "dog"], target="labels")
    assert [y.tolist() for _, y in source.samples(0)] == [[0, 1], [1, 1]]
    assert source.target_spec.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("1800.5", "none"), r"a\.csv, line 1802(?s:.*)'one'(?s:.*)dataset.source.columns"),
        (("1800.5", ""), r"line 1802(?s:.*)an empty cell"),
        (("3240000,yes", "3240000,maybe"), r"line 1802(?s:.*)'maybe'"),
        (("3240000,yes", "3240000,yes,yes"), r"a\.csv cannot be read(?s:.*)line 1802"),
        (("3240000,yes", "3240000"), r"line 1802(?s:.*)an empty cell"),
    ],
)
def test_a_row_that_is_wrong_is_named_when_it_is_reached(tmp_path, change, said):
    source = TableSource(write(tmp_path, change=change), "label", classes=CLASSES)
    samples = source.samples(0)
    for _ in range(1000):
        next(samples)
    with pytest.raises(UserError, match=said):
        list(samples)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"label": "lable"}, "no column 'lable'(?s:.*)dataset.source.label=label"),
        ({"label": "label", "columns": ["three"]}, "dataset.source.columns(?s:.*)'three'"),
        ({"label": "label", "columns": ["label"]}, "dataset.source.columns has the label"),
        ({"label": "label", "classes": None}, "classes(?s:.*)dataset.source.classes="),
        ({"label": "label", "classes": ["no", "maybe"]}, "line 2(?s:.*)'yes'"),
    ],
)
def test_wrong_settings_are_refused_at_once(tmp_path, keys, said):
    with pytest.raises(UserError, match=said):
        TableSource(**{"files": write(tmp_path, 5), "classes": CLASSES, **keys})


@pytest.mark.parametrize("content", ["", "one,label\n"])
def test_an_empty_table_is_refused(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=r"a\.csv"):
        TableSource(str(tmp_path / "a.csv"), "label", classes=CLASSES)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.2, 0.45), (0.9, 1.0)])
def test_a_split_has_the_same_samples_in_blocks_and_one_by_one(tmp_path, low, high):
    class OneByOne(TableSource):
        blocks = Source.blocks

        def samples(self, shard):
            for x, y in TableSource.blocks(self, shard):
                yield from zip(x, y, strict=True)

    file = write(tmp_path, count=9001)
    splits = [
        StreamSplit("train", source(file, "label", classes=CLASSES), low, high, seed=4)
        for source in (TableSource, OneByOne)
    ]
    blocks, alone = (
        [np.concatenate(parts) for parts in list(zip(*split, strict=True))[1:]] for split in splits
    )
    assert all(map(np.array_equal, blocks, alone))
    assert splits[0].count() == splits[1].count() == len(blocks[0])
