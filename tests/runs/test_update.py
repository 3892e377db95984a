"""A finished run's model learns from new data, through the command line."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from mlflow import MlflowClient
from tiny import array_words, reprise, write_arrays

from reprise.cli import update
from reprise.datasets.arrays import Arrays
from reprise.datasets.stream import Stream
from reprise.errors import UserError
from reprise.runs.experiment import Data
from reprise.runs.load import find, open_saved_data
from reprise.runs.update import adopt, seen_before, with_old
from reprise.spec import Spec


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with old and new arrays, and a run that was trained on the old ones."""
    folder = tmp_path_factory.mktemp("update")
    write_arrays(folder / "old.npz")
    write_arrays(folder / "new.npz", count=40, seed=1)
    done = reprise("train", *array_words(folder / "old.npz", folder))
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def data_of(folder, name, seed=0, split_seed=0):
    split = {"train": 0.5, "valid": 0.25, "test": 0.25}
    file = str(folder / name)
    dataset = Arrays(file=file, x="x", y="y", split=split, split_seed=split_seed)
    return Data(dataset, dataset.splits(), seed, {})


def runs(folder):
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    return [found[0], found[-1]]


def test_a_child_learns_from_new_and_old_and_says_how_it_did_on_both(folder):
    words = [f"runs={folder}/runs", f"dataset.file={folder}/new.npz"]
    done = reprise("update", "run=last", *words, "old=0.5", "optimizer.learning_rate=1e-4")
    assert done.returncode == 0, done.stderr[-2000:]
    heads = next(line for line in done.stdout.splitlines() if line.startswith("| best model"))
    splits = ["valid", "before_test", "test", "before_parent_test", "parent_test"]
    assert heads.split()[4::2] == splits

    parent, child = runs(folder)
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["reprise.parent"] == parent.data.tags["reprise.run"]
    assert child.data.params["update.old"] == "0.5"
    assert child.data.params["optimizer.learning_rate"] == "0.0001"
    assert child.data.metrics["before_parent_test/loss"] == parent.data.metrics["test/loss"]
    assert child.data.metrics["parent_test/loss"] != parent.data.metrics["test/loss"]

    own = folder / "runs/digits" / child.data.tags["reprise.run"]
    splits = json.loads((own / "splits.json").read_text())
    old = [name for name in splits["train"] if name.startswith("old: ")]
    assert (len(splits["train"]) - len(old), len(old)) == (28, 34)  # of 40 and of 96
    assert not [name for name in splits["test"] if name.startswith("old: ")]

    scored = reprise("evaluate", "run=last", f"runs={folder}/runs")
    assert f"test/loss {child.data.metrics['test/loss']!r}" in scored.stdout, scored.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "an update needs new data"),
        (["trainer.epochs=1"], "an update needs new data"),
        (["dataset.file={folder}/four.npz"], "does not fit the run's model: classes of the target"),
        (["dataset.file={folder}/new.npz", "old=2"], "old is wrong"),
        (["dataset.file={folder}/new.npz", "optimizer.learningrate=1"], "optimizer.learningrate"),
    ],
)
def test_what_cannot_be_an_update_is_refused(folder, more, said):
    write_arrays(folder / "four.npz", classes=4)
    words = [word.format(folder=folder) for word in more]
    first = min((folder / "runs/digits").iterdir()).name
    with pytest.raises(UserError, match=said):
        update.main([f"run={first}", f"runs={folder}/runs", *words])


def test_which_old_samples_are_taken_follows_from_the_seed(folder):
    new, old = data_of(folder, "new.npz"), data_of(folder, "old.npz")
    for side in (new, old):
        side.learn()
    mixed = with_old(new, old, 0.25)
    assert len(mixed.splits["train"]) == 20 + 12
    assert np.array_equal(mixed.splits["train"], with_old(new, old, 0.25).splits["train"])
    other = with_old(replace(new, seed=1), old, 0.25).splits["train"]
    assert not np.array_equal(mixed.splits["train"], other)
    assert set(other[:20]) == set(new.splits["train"])
    assert np.array_equal(mixed.splits["test"], new.splits["test"])
    assert abs(sum(mixed.dataset.target_spec.counts) - 32) <= 1  # each is rounded
    assert with_old(new, old, 0.0) is new


def test_old_samples_are_not_mixed_into_a_stream():
    stream = Data(Stream.__new__(Stream), {}, 0, {})
    with pytest.raises(UserError, match=r"(?s)cannot be mixed into a stream.*set old=0"):
        with_old(stream, stream, 0.5)


def test_data_that_has_become_other_data_is_refused(folder):
    own = folder / "other"
    own.mkdir()
    write_arrays(own / "four.npz", classes=4)
    recorded = find(min((folder / "runs/digits").iterdir()).name, folder / "runs")
    config = json.loads(json.dumps(recorded.config))
    config["dataset"]["file"] = str(own / "four.npz")
    with pytest.raises(UserError, match=r"no longer what .* classes of the target"):
        open_saved_data(recorded, config)


def test_samples_that_were_learned_and_now_judge_are_counted(folder):
    old, new = data_of(folder, "old.npz"), data_of(folder, "new.npz")
    again = data_of(folder, "old.npz", split_seed=1)
    judges = {*again.splits["valid"], *again.splits["test"]}
    assert seen_before(again, old) == len(judges & {*old.splits["train"]}) > 0
    assert seen_before(old, old) == seen_before(new, old) == 0


def test_a_model_keeps_the_scale_it_was_made_with(capsys):
    new, old = SimpleNamespace(learn=lambda train: {"offset": 9}), SimpleNamespace()
    new.input_spec = Spec((2,), "float32", offset=(5.0, 95.0), scale=(2.0, 2.0), names=("a", "b"))
    old.input_spec = Spec((2,), "float32", offset=(1.0, 1.0), scale=(3.0, 3.0), names=("a", "b"))
    new.target_spec = Spec((), "int32", ("a", "b"), counts=(7, 8))
    old.target_spec = Spec((), "int32", ("a", "b"), counts=(1, 2))
    data = Data(new, {"train": 0}, 0, {}), Data(old, {}, 0, {})
    assert adopt(*data) == {"offset": 9}
    assert new.input_spec == old.input_spec
    assert new.target_spec.counts == (7, 8)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the mean of b is 95, and was 1" in said
    new.input_spec = Spec((3,), "float32")
    with pytest.raises(UserError, match="shape of the input"):
        adopt(*data)
