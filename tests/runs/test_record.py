"""What a run is called, and how MLflow describes it."""

import subprocess
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from tiny import array_words, new_store, write_arrays

from reprise.config.compose import Composed
from reprise.runs import difference, record
from reprise.runs.experiment import compose_and_check, open_data
from reprise.runs.folder import PACKAGES, SNAPSHOT
from reprise.runs.record import (
    NAME_LENGTH,
    _write_snapshot,
    make_record,
    run_name,
)
from reprise.runs.resume import record_changes
from reprise.runs.score import description
from reprise.tracking.journal import tags_of
from reprise.tracking.provenance import packages
from reprise.tracking.run import open_run
from reprise.tracking.snapshot import take_snapshot

RUN = "20261121-135915-a766"


def composed(*overrides):
    return Composed({}, {"model": "cnn"}, list(overrides))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], ""),
        (["experiment=digits", "model=cnn", "debug=smoke", "tracking.runs=/a/b"], ""),
        (["loader.workers=2", "trainer.pictures_every=1", "trainer.num_pictures=2"], ""),
        (["optimizer.learning_rate=1e-2", "+model.dropout=0.5"], " learning_rate=1e-2 dropout=0.5"),
        (["dataset.file=/data/new/digits.npz"], " file=digits.npz"),
        (["dataset.images=/data/new/"], " images=new"),
        (["model.units=[64,32]", "~trainer.callbacks"], " units=[64,32] callbacks"),
        (["optimizer=sgd"], " optimizer=sgd"),
        (["dataset.url=mysql://me:hunter2@host/shop"], " url=shop"),
        (["dataset.password=hunter2"], " password=***"),
        (["dataset.classes=" + "x" * 99], " classes=" + "x" * 23 + "…"),
    ],
)
def test_a_name_says_what_was_asked_for(overrides, said):
    assert run_name(composed(*overrides), RUN) == "cnn a766" + said


def test_a_name_is_not_endless():
    name = run_name(composed(*(f"model.key_{at}=1" for at in range(40))), RUN)
    assert len(name) == NAME_LENGTH
    assert name.startswith("cnn a766 key_0=1 key_1=1")


def test_an_update_names_its_parent_and_not_its_whole_configuration():
    recorded = SimpleNamespace(folder=SimpleNamespace(name="20261120-000000-5549"))
    parent = SimpleNamespace(saved=recorded)
    assert run_name(composed("seed=0", "model.units=[1]"), RUN, parent) == "cnn a766 update of 5549"


RESULT = {"valid/f1": 0.5, "valid/f1_cat": 0.25, "test/f1": 0.75, "test/f1_cat": 1.0}


def test_the_description_has_the_result_and_pictures_that_the_ui_finds(tmp_path):
    uri = new_store(tmp_path)
    with open_run(tmp_path / "runs/e/20261121-1", "e", "n", uri=uri, redact=str) as run:
        run.tags({"mlflow.note.content": description(RESULT, ["pictures/curves.png"])})
    client = MlflowClient(uri)
    (found,) = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    assert found.data.tags["mlflow.note.content"].splitlines() == [
        "| best model     |    valid |     test |",
        "|----------------|---------:|---------:|",
        "| f1             |   0.5000 |   0.7500 |",
        "",
        "![pictures/curves.png](get-artifact?path=pictures/curves.png"
        f"&run_uuid={found.info.run_id})",
    ]


def test_a_record_is_made_before_there_is_a_run_and_says_what_was_not_compared(
    tmp_path, monkeypatch, capsys
):
    """Of a project with a conflict in DVC's file, and one without git; check-data makes it, too."""
    composed = compose_and_check(array_words(write_arrays(tmp_path / "digits.npz"), tmp_path))
    monkeypatch.setattr(record, "ROOT", tmp_path)
    (tmp_path / "digits.npz.dvc").write_text("<<<<<<< HEAD\nouts:\n")
    made = make_record(composed, open_data(composed.values))
    assert made.tags["data.dvc"].startswith("not compared: digits.npz.dvc cannot be read: ")
    assert made.tags["git.commit"].startswith("none: fatal: not a git repository")
    assert made.snapshot.problem
    assert "note: the data: not compared: digits.npz.dvc" in capsys.readouterr().err
    assert {"config.yaml", "splits.json", "specs.json"} <= {*made.files}
    assert not (tmp_path / "runs").exists()


def test_a_run_that_goes_on_with_other_code_says_so_and_keeps_it(tmp_path, monkeypatch, capsys):
    project, runs = tmp_path / "project", tmp_path / "runs"
    project.mkdir()
    subprocess.run(["git", "init", "-q", project], check=True)
    monkeypatch.setattr(difference, "ROOT", project)
    data = SimpleNamespace(sources=())
    with open_run(runs / "e/a", "e", "a", uri=new_store(tmp_path), redact=str) as run:
        (project / "net.py").write_text("relu\n")
        _write_snapshot(run, take_snapshot(project, runs / ".code"), runs / ".code")
        run.text(PACKAGES, packages())
        record_changes(run, data, runs, 4)
        assert "code.resumed" not in tags_of(run.folder)
        (project / "net.py").write_text("tanh\n")
        record_changes(run, data, runs, 7)
    assert tags_of(run.folder)["code.resumed"].startswith("at step 7:\nnet.py | 2 +-")
    assert "net.py | 2 +-" in capsys.readouterr().err
    kept = run.folder / SNAPSHOT.replace("code.bundle", "code_at_step_7.bundle")
    patch = difference.diff_bundles(run.folder / SNAPSHOT, kept, difference.PATCH)
    assert patch[-2:] == ["-relu", "+tanh"]
