"""What every dataset of conf/dataset promises, tried on tiny data of its kind."""

import gc
import json
import pickle
import random
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from reprise.datasets.base import Dataset
from reprise.datasets.decodable import Decodable
from reprise.datasets.drawing import save_grid
from reprise.loading.loader import Loader
from reprise.runs.external import build_dataset

HERE = Path(__file__)
FILES = [  # a dataset without a test here is another package's
    file
    for file in sorted((HERE.parents[2] / "conf" / "dataset").glob("*.yaml"))
    if HERE.with_name(f"test_{file.stem}.py").exists()
]
STREAMS = {"stream"}  # of which tests/datasets/test_stream.py knows the shorter contract
NAMES = [file.stem for file in FILES if file.stem not in STREAMS]


@pytest.fixture(params=NAMES)
def dataset(request, tmp_path) -> Dataset:
    """The dataset of conf/dataset/NAME.yaml on the data that `tiny` of its own test makes."""
    file = next(file for file in FILES if file.stem == request.param)
    test = import_module(f"datasets.test_{request.param}")  # pythonpath has tests/
    tiny: dict[str, Any] = test.tiny(tmp_path)
    return build_dataset(OmegaConf.to_container(OmegaConf.merge(OmegaConf.load(file), tiny)))


def some_indices(dataset: Dataset) -> list[int]:
    return [0, len(dataset) // 2, len(dataset) - 1]


def same(one: tuple, other: tuple) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def test_samples_are_as_the_specs_say(dataset):
    for index in some_indices(dataset):
        for rng in (None, np.random.default_rng(0)):
            x, y = dataset.read(index, rng)
            for array, spec in ((x, dataset.input_spec), (y, dataset.target_spec)):
                assert (array.shape, str(array.dtype)) == (spec.shape, spec.dtype)
            if dataset.target_spec.classes:  # several for which yes or no is said, or one each
                allowed = {*range(max(2, len(dataset.target_spec.classes)))}
                assert set(np.unique(y)) <= allowed | {dataset.target_spec.ignore}


def test_a_read_depends_on_the_index_and_the_rng_alone(dataset):
    for index in some_indices(dataset):
        first = dataset.read(index, np.random.default_rng([7, index]))
        dataset.read(0, np.random.default_rng(1))
        assert same(first, dataset.read(index, np.random.default_rng([7, index])))
        assert same(dataset.read(index, None), dataset.read(index, None))


def test_global_randomness_is_neither_used_nor_moved(dataset):
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    first = dataset.read(0, np.random.default_rng(3))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    np.random.seed(2)
    assert same(first, dataset.read(0, np.random.default_rng(3)))


def test_a_copy_through_pickle_reads_the_same(dataset):
    dataset.read(0, None)
    copy = pickle.loads(pickle.dumps(dataset))
    for index in some_indices(dataset):
        rngs = [np.random.default_rng(index) for _ in range(2)]
        assert same(dataset.read(index, rngs[0]), copy.read(index, rngs[1]))
    assert (copy.input_spec, copy.target_spec) == (dataset.input_spec, dataset.target_spec)


def test_no_file_stays_open(dataset):
    open_files = Path("/proc/self/fd")
    gc.collect()  # SQLAlchemy's engine, with its pool of connections, is in a circle of references
    before = len(list(open_files.iterdir()))
    pickle.loads(pickle.dumps(dataset)).read(0, None)
    gc.collect()
    assert len(list(open_files.iterdir())) == before


def test_a_batch_is_its_samples(dataset):
    indices = np.array([len(dataset) - 1, 0], np.int64)
    x, y = dataset.read_many(indices, [np.random.default_rng(5), None])
    assert same((x[0], y[0]), dataset.read(len(dataset) - 1, np.random.default_rng(5)))
    assert same((x[1], y[1]), dataset.read(0, None))


DECODED = {"image_folder", "image_mask", "image_table", "mel_spectrogram", "sql_matrix"}


def test_what_is_decoded_can_be_kept_and_gives_the_same_bytes(dataset, request, tmp_path):
    """Over two passes with random transforms, and without; the cache is cold, then warm."""
    name = request.node.callspec.params["dataset"]
    assert isinstance(dataset, Decodable) == (name in DECODED)
    if not isinstance(dataset, Decodable):
        return
    for array, spec in zip(dataset.decode(0), dataset.decoded, strict=True):
        assert str(array.dtype) == spec.dtype
        shape = zip(array.shape, spec.shape, strict=True)
        assert all(axis in (None, length) for length, axis in shape)

    def batches(split: str, cache: str | None) -> list[tuple[bytes, bytes]]:
        indices, options = dataset.splits()[split], {"workers": 0, "cache": cache}
        with Loader(dataset, indices, split=split, seed=5, batch_size=3, **options) as loader:
            stop = 2 * loader.steps_per_pass
            return [(x.tobytes(), y.tobytes()) for x, y in loader.batches(stop=stop)]

    for split in ("train", "valid"):
        expected = batches(split, None)
        assert batches(split, str(tmp_path / "cache")) == expected
        assert batches(split, str(tmp_path / "cache")) == expected


@pytest.mark.parametrize("method", ["processes", "threads"])
def test_batches_are_the_same_whoever_makes_them(dataset, method):
    """Over two passes, with transforms, against those made without workers; 1 and 2 of each."""
    indices = dataset.splits()["train"]

    def batches(workers: int) -> list[tuple[bytes, bytes]]:
        options = {"workers": workers, "use_multiprocessing": method == "processes"}
        with Loader(dataset, indices, split="train", seed=5, batch_size=3, **options) as loader:
            stop = 2 * loader.steps_per_pass
            return [(x.tobytes(), y.tobytes()) for x, y in loader.batches(stop=stop)]

    alone = batches(0)
    assert len(set(alone)) > 1
    assert batches(1) == batches(2) == alone


def test_what_is_learned_comes_from_the_train_split_and_changes_no_batch(dataset):
    train = dataset.splits()["train"]
    before = dataset.read(0, None)
    learned = dataset.learn(train)
    assert json.loads(json.dumps(learned)) == learned
    assert same(before, dataset.read(0, None))
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.learn(train) == learned
    for spec in (dataset.input_spec, dataset.target_spec):
        assert all(scale > 0 for scale in spec.scale)
    assert len(dataset.target_spec.counts) in (0, len(dataset.target_spec.classes))


def test_splits_are_disjoint_and_cover_every_sample(dataset):
    splits = dataset.splits()
    assert set(splits) == {"train", "valid", "test"}
    assert all(own.dtype == np.int64 and len(own) for own in splits.values())
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(dataset)))
    again = pickle.loads(pickle.dumps(dataset)).splits()
    assert all(np.array_equal(again[name], own) for name, own in splits.items())


def test_no_group_stands_in_two_splits(dataset):
    groups = [{dataset.group(int(at)) for at in own} for own in dataset.splits().values()]
    assert len(set.union(*groups)) == sum(map(len, groups))


def test_names_are_told_apart(dataset):
    assert len({dataset.name(index) for index in range(len(dataset))}) == len(dataset)


def test_sound_data_has_no_problems(dataset):
    everything = np.arange(len(dataset))
    assert list(dataset.check(everything)) == []
    assert list(dataset.check(everything, thorough=True)) == []


def test_sources_exist(dataset):
    assert len(dataset.sources) >= 1
    assert all(Path(source).exists() for source in dataset.sources)


def test_every_sample_can_be_drawn_alone_and_beside_a_prediction(dataset, tmp_path):
    num_classes = len(dataset.target_spec.classes)
    x, y = dataset.read_many(np.array(some_indices(dataset)), [None] * 3)
    is_mask = num_classes and y.ndim > 2
    shape = (*y.shape[:-1], num_classes) if is_mask else (*y.shape, num_classes)
    prediction = np.zeros(shape if is_mask or (num_classes and y.ndim == 1) else y.shape)
    for predictions in (None, prediction):
        assert save_grid(tmp_path / "grid.png", dataset.draw, x, y, predictions).stat().st_size
