"""Tests that a project of one's own inherits: what its datasets promise, and that it trains.

class TestDepth(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path):
        return Depth(folder=write_samples(tmp_path), split={"train": 0.6, "valid": 0.4})

class TestExperiments(Experiments):
    pass
"""

import gc
import itertools
import json
import pickle
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from reprise import project
from reprise.config.build import build
from reprise.config.files import CONF
from reprise.datasets.base import Dataset, Sample
from reprise.datasets.decodable import Decodable
from reprise.datasets.drawing import save_grid
from reprise.errors import UserError, in_one_line
from reprise.loading.loader import Loader
from reprise.runs.experiment import Data, build_dataset, compose_and_check, open_data
from reprise.runs.external import External
from reprise.scaffold.look import KINDS
from reprise.spec import Spec
from reprise.training.quiet import import_keras

Batches = list[tuple[bytes, bytes]]


class DatasetContract:
    """What a `Dataset` promises, tried on the one that the fixture `dataset` gives.

    It should be small: every sample of it is read several times. `tmp_path` is for its files.
    """

    @pytest.fixture
    def dataset(self) -> Dataset:
        """The dataset; a child returns one with some ten samples in 'train', 'valid' and 'test'."""
        raise NotImplementedError("a fixture `dataset` that returns the dataset to be tested")

    def test_samples_are_as_the_specs_say(self, dataset: Dataset) -> None:
        for index in some_indices(dataset):
            for rng in (None, np.random.default_rng(0)):
                require_specs(dataset, dataset.read(index, rng))

    def test_a_read_depends_on_the_index_and_the_rng_alone(self, dataset: Dataset) -> None:
        for index in some_indices(dataset):
            first = dataset.read(index, np.random.default_rng([7, index]))
            dataset.read(0, np.random.default_rng(1))
            again = dataset.read(index, np.random.default_rng([7, index]))
            assert same(first, again), f"sample {index} differs from read to read with equal rngs"
            assert same(dataset.read(index, None), dataset.read(index, None)), f"sample {index}"

    def test_global_randomness_is_neither_used_nor_moved(self, dataset: Dataset) -> None:
        random.seed(1)
        np.random.seed(1)
        before = random.getstate(), str(np.random.get_state(legacy=False))
        first = dataset.read(0, np.random.default_rng(3))
        after = random.getstate(), str(np.random.get_state(legacy=False))
        assert after == before, "read moves the state of random or np.random; draw from rng alone"
        np.random.seed(2)
        assert same(first, dataset.read(0, np.random.default_rng(3))), "read uses np.random"

    def test_a_copy_through_pickle_reads_the_same(self, dataset: Dataset) -> None:
        dataset.read(0, None)
        copy = pickle.loads(pickle.dumps(dataset))
        for index in some_indices(dataset):
            rngs = [np.random.default_rng(index) for _ in range(2)]
            assert same(dataset.read(index, rngs[0]), copy.read(index, rngs[1])), f"sample {index}"
        assert (copy.input_spec, copy.target_spec) == (dataset.input_spec, dataset.target_spec)

    def test_no_file_stays_open(self, dataset: Dataset) -> None:
        open_files = Path("/proc/self/fd")
        if not open_files.is_dir():
            pytest.skip("this system does not list a process's open files")
        gc.collect()  # SQLAlchemy's engine, with its pool, is in a circle of references
        before = len(list(open_files.iterdir()))
        pickle.loads(pickle.dumps(dataset)).read(0, None)
        gc.collect()
        assert len(list(open_files.iterdir())) == before, "a file that read opens stays open"

    def test_a_batch_is_its_samples(self, dataset: Dataset) -> None:
        last = len(dataset) - 1
        rngs = [np.random.default_rng(5), None]
        x, y = dataset.read_many(np.array([last, 0], np.int64), rngs)
        assert same((x[0], y[0]), dataset.read(last, np.random.default_rng(5)))
        assert same((x[1], y[1]), dataset.read(0, None))

    def test_what_is_decoded_can_be_kept_and_gives_the_same_bytes(
        self, dataset: Dataset, tmp_path: Path
    ) -> None:
        """Over two passes with random transforms, and without; the cache is cold, then warm."""
        if not isinstance(dataset, Decodable):
            return
        for array, spec in zip(dataset.decode(0), dataset.decoded, strict=True):
            assert str(array.dtype) == spec.dtype
            shape = zip(array.shape, spec.shape, strict=True)
            assert all(axis in (None, length) for length, axis in shape)
        cache = str(tmp_path / "cache")
        for split in ("train", "valid"):
            expected = batches_of(dataset, split, workers=0)
            assert batches_of(dataset, split, workers=0, cache=cache) == expected
            assert batches_of(dataset, split, workers=0, cache=cache) == expected

    @pytest.mark.parametrize("method", ["processes", "threads"])
    def test_batches_are_the_same_whoever_makes_them(self, dataset: Dataset, method: str) -> None:
        """Over two passes, with transforms, against those made without workers; 1 and 2 of each."""
        are_processes = method == "processes"
        alone = batches_of(dataset, "train", workers=0)
        assert len(set(alone)) > 1
        for workers in (1, 2):
            made = batches_of(dataset, "train", workers=workers, use_multiprocessing=are_processes)
            assert made == alone, f"{workers} {method} make other batches than none"

    def test_what_is_learned_comes_from_the_train_split_and_changes_no_batch(
        self, dataset: Dataset
    ) -> None:
        train = dataset.splits()["train"]
        before = dataset.read(0, None)
        learned = dataset.learn(train)
        assert json.loads(json.dumps(learned)) == learned
        assert same(before, dataset.read(0, None))
        assert pickle.loads(pickle.dumps(dataset)).learn(train) == learned
        for spec in (dataset.input_spec, dataset.target_spec):
            assert all(scale > 0 for scale in spec.scale)
        assert len(dataset.target_spec.counts) in (0, len(dataset.target_spec.classes))

    def test_splits_are_disjoint_and_the_same_again(self, dataset: Dataset) -> None:
        splits = dataset.splits()
        assert {"train", "valid"} <= set(splits) <= {"train", "valid", "test"}
        assert all(own.dtype == np.int64 and len(own) for own in splits.values())
        every = np.concatenate(list(splits.values()))
        assert len(set(every.tolist())) == len(every), "a sample stands in two splits"
        assert set(every.tolist()) <= set(range(len(dataset)))
        again = pickle.loads(pickle.dumps(dataset)).splits()
        assert all(np.array_equal(again[name], own) for name, own in splits.items())

    def test_no_group_stands_in_two_splits(self, dataset: Dataset) -> None:
        groups = [{dataset.group(int(at)) for at in own} for own in dataset.splits().values()]
        assert len(set.union(*groups)) == sum(map(len, groups))

    def test_names_are_told_apart(self, dataset: Dataset) -> None:
        assert len({dataset.name(index) for index in range(len(dataset))}) == len(dataset)

    def test_sound_data_has_no_problems(self, dataset: Dataset) -> None:
        everything = np.arange(len(dataset))
        assert list(dataset.check(everything)) == []
        assert list(dataset.check(everything, thorough=True)) == []

    def test_sources_exist(self, dataset: Dataset) -> None:
        assert all(Path(source).exists() for source in dataset.sources)

    def test_every_sample_can_be_drawn_alone_and_beside_a_prediction(
        self, dataset: Dataset, tmp_path: Path
    ) -> None:
        num_classes = len(dataset.target_spec.classes)
        x, y = dataset.read_many(np.array(some_indices(dataset)), [None] * 3)
        is_mask = num_classes and y.ndim > 2
        shape = (*y.shape[:-1], num_classes) if is_mask else (*y.shape, num_classes)
        prediction = np.zeros(shape if is_mask or (num_classes and y.ndim == 1) else y.shape)
        for predictions in (None, prediction):
            assert save_grid(tmp_path / "grid.png", dataset.draw, x, y, predictions).stat().st_size


INPUTS = (Spec((64, 64, 3), "uint8"), Spec((64, 64, 1), "float32"), Spec((5,), "float32"))
TARGETS = (
    Spec((), "int32", ("a", "b", "c")),
    Spec((3,), "uint8", ("a", "b", "c")),
    Spec((64, 64, 1), "uint8", ("yes",)),
    Spec((64, 64, 1), "uint8", ("a", "b", "c"), ignore=255),
    Spec((2,), "float32"),
    Spec((64, 64, 1), "float32"),
)


def _cannot(what: str, specs: str, error: Exception) -> AssertionError:
    return AssertionError(
        f"{what} cannot be built for {specs}: {in_one_line(error)}\n"
        "Refuse what it is not for with a reprise.errors.UserError, or say what it is for in this "
        "test's class: inputs = (Spec((64, 64, 2), 'uint8'),), targets = (…,)"
    )


class ModelContract:
    """What a run asks of a model, for every kind of data that it does not refuse.

    A model refuses what it is not for with a `UserError`; or the test says what it is for, by
    `inputs` and `targets`.
    """

    name: str  # of a file in conf/model/
    inputs: Sequence[Spec] = INPUTS
    targets: Sequence[Spec] = TARGETS

    def test_it_answers_and_comes_back_from_its_file(self, tmp_path: Path) -> None:
        import_keras()
        import keras

        tried = 0
        for x, y in itertools.product(self.inputs, self.targets):
            if len(y.shape) > 1 and x.shape[:2] != y.shape[:2]:
                continue
            keras.utils.set_random_seed(0)
            try:
                model = build_option("model", self.name, x, y)
            except UserError:
                continue
            except Exception as error:
                raise _cannot(f"model {self.name}", f"{x} and {y}", error) from None
            inputs = np.random.default_rng(0).integers(0, 200, (4, *x.shape)).astype(x.dtype)
            answer, count = np.asarray(model(inputs)), len(y.classes)
            shape = {"class": (count,), "mask": (*y.shape[:2], count)}.get(y.kind, y.shape)
            assert answer.shape == (4, *shape), f"{x} to {y}"
            assert np.isfinite(answer).all()
            if not tried:
                keras.utils.set_random_seed(0)
                again = np.asarray(build_option("model", self.name, x, y)(inputs))
                assert same([answer], [again]), "equal seeds give other weights"
                model.save(tmp_path / "model.keras")
                loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
                np.testing.assert_allclose(np.asarray(loaded(inputs)), answer, rtol=1e-5)
            tried += 1
        assert tried, "it refuses every kind of data"


class ObjectiveContract:
    """What a run asks of an objective, for every kind of target that it does not refuse."""

    name: str  # of a file in conf/objective/
    targets: Sequence[Spec] = TARGETS

    def test_it_trains_and_scores(self) -> None:
        import_keras()
        import keras

        tried = 0
        for y in self.targets:
            try:
                loss, metrics = build_option("objective", self.name, y)
            except UserError:
                continue
            except Exception as error:
                raise _cannot(f"objective {self.name}", str(y), error) from None
            tried += 1
            names = [metric.name for metric in metrics]
            assert len({"loss", *names}) == len(names) + 1, "two metrics have one name"
            last = len(y.classes) or (y.shape[-1] if y.shape else 1)
            ends = {"class": "softmax", "labels": "sigmoid", "values": "linear"}
            end = ends.get(y.kind, "sigmoid" if last == 1 else "softmax")
            inputs = np.random.default_rng(0).random((8, *y.shape[:2], 3)).astype("float32")
            inputs = inputs if len(y.shape) > 1 else inputs.reshape(8, -1)
            truth = np.random.default_rng(1).integers(0, max(2, len(y.classes)), (8, *y.shape))
            model = keras.Sequential([keras.layers.Dense(last, activation=end)])
            model.compile("sgd", loss, metrics=metrics)
            scores = model.fit(inputs, truth.astype(y.dtype), verbose=0).history
            assert np.isfinite([scores[name] for name in ("loss", *names)]).all(), scores
        assert tried, "it refuses every kind of target"


class Experiments:
    """Every experiment in the project's own conf/experiment/: its config, its data, a training.

    Little is read and trained, and nothing is written in the project's runs/ and mlflow.db.
    """

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Try each test with each experiment."""
        files = sorted((CONF / "experiment").rglob("*.yaml"))
        names = [file.relative_to(CONF / "experiment").with_suffix("").as_posix() for file in files]
        metafunc.parametrize("experiment", names)

    @pytest.fixture(autouse=True)
    def _in_the_project(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(project.ROOT)  # where relative paths in configs start

    def test_its_data_keep_the_contract(self, experiment: str) -> None:
        data = open_data(compose_and_check([f"experiment={experiment}"]).values)
        if isinstance(data.dataset, External):
            pytest.skip("Keras gets the batches of its dataset as they are")
        first = batches_of_run(data, 0)
        assert batches_of_run(data, 0) == first, "batches differ from pass to pass"
        assert batches_of_run(data, 2) == first, "2 workers make other batches than none"
        copy = pickle.loads(pickle.dumps(data.dataset))
        assert (copy.input_spec, copy.target_spec) == (
            data.dataset.input_spec,
            data.dataset.target_spec,
        )
        if isinstance(data.dataset, Dataset):
            for index in some_indices(data.dataset):
                require_specs(data.dataset, data.dataset.read(index, np.random.default_rng(0)))

    def test_it_trains(self, experiment: str, tmp_path: Path) -> None:
        words = [f"experiment={experiment}", "debug=smoke", "loader.workers=0"]
        words += [f"tracking.uri=sqlite:///{tmp_path}/mlflow.db", f"tracking.runs={tmp_path}/runs"]
        target = compose_and_check(words).values["dataset"]["_target_"]
        if target.startswith("reprise."):
            words.append("trainer.overfit=4")
        done = subprocess.run(
            [sys.executable, "-m", "reprise", "train", *words], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def build_option(group: str, name: str, *args: Any) -> Any:
    """Build a model or an objective with the values of its file in conf/."""
    node = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"))
    return build(node, *args, key=group)  # type: ignore[arg-type]


@cache
def sample_data(stage: str) -> Path:
    """Make sample data of the engine in a temporary folder, once."""
    folder = tempfile.TemporaryDirectory()
    _KEPT.append(folder)
    command = [sys.executable, "-m", f"reprise.samples.{stage}", "--out", f"{folder.name}/{stage}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Path(folder.name, stage)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def small_dataset(name: str, like: str = "") -> Dataset:
    """Build a dataset with the values of its file in conf/dataset/.

    Args:
        name: Of the file.
        like: The dataset of the engine whose sample data it reads; '' where it needs none.
    """
    node = OmegaConf.load(CONF / "dataset" / f"{name}.yaml")
    for option, sample, look in KINDS.values():
        if option == like:
            stage, _, rest = sample.partition("/")
            for key, (value, _) in look(sample_data(stage) / rest, {}).items():
                OmegaConf.update(node, key, value, merge=False)
    made = build_dataset(OmegaConf.to_container(node))  # type: ignore[arg-type]
    assert isinstance(made, Dataset)
    return made


def some_indices(dataset: Dataset) -> list[int]:
    """The first sample, one in the middle, and the last."""
    return [0, len(dataset) // 2, len(dataset) - 1]


def same(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    """Whether two samples have the same bytes."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def require_specs(dataset: Dataset, sample: Sample) -> None:
    """Fail where a sample is not as the specs say."""
    for array, spec in zip(sample, (dataset.input_spec, dataset.target_spec), strict=True):
        assert (array.shape, str(array.dtype)) == (spec.shape, spec.dtype)
    if dataset.target_spec.classes:  # several for which yes or no is said, or one each
        allowed = {*range(max(2, len(dataset.target_spec.classes)))}
        assert set(np.unique(sample[1])) <= allowed | {dataset.target_spec.ignore}


def batches_of(dataset: Dataset, split: str, **options: Any) -> Batches:
    """The bytes of two passes of batches of a dataset, or of 40 batches."""
    indices = dataset.splits()[split]
    with Loader(dataset, indices, split=split, seed=5, batch_size=3, **options) as loader:
        stop = min(2 * loader.steps_per_pass, 40)
        return [(x.tobytes(), y.tobytes()) for x, y in loader.batches(stop=stop)]


def batches_of_run(data: Data, workers: int) -> Batches:
    """The bytes of the first batches that an experiment trains on."""
    with data.loader("train", batch_size=2, workers=workers) as loader:
        return [(x.tobytes(), y.tobytes()) for x, y in loader.batches(stop=4)]
