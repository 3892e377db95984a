"""What happens to a store beside a run: deleted, emptied, damaged, of another release, refusing."""

import json
import math
import shutil
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, ViewType
from tiny import new_store, reprise

from reprise.errors import UserError
from reprise.runs.sync import sync
from reprise.tracking.journal import DELIVERED, Journal, delivered
from reprise.tracking.mlflow_store import RUN_TAG, deliver
from reprise.tracking.run import open_run


@pytest.fixture
def uri(tmp_path):
    return new_store(tmp_path)


def record(tmp_path, uri, *, steps=(1, 2), name="a", **more):
    """A run with params, numbers, a file and a status."""
    folder = tmp_path / "runs/digits" / name
    with open_run(folder, "digits", f"cnn {name}", uri=uri, redact=str) as run:
        run.params({"seed": 0, "lr": 0.1, **more})
        run.tags({"data.notes": "none"})
        run.data("arrays", "0" * 36, "data")
        for step in steps:
            run.metrics({"valid/loss": 1 / step, "valid/iou": 0.5}, step=step)
        run.text("notes/result.txt", "fine")
    return run


def stored(uri, view=ViewType.ACTIVE_ONLY):
    client = MlflowClient(uri)
    ids = [one.experiment_id for one in client.search_experiments(view_type=ViewType.ALL)]
    return client, client.search_runs(ids, run_view_type=view)


def check_complete(uri, run, times=1):
    """Every number of the run's journal is in the store once, with its file and its status."""
    client, found = stored(uri)
    assert len(found) == times
    there = found[0]
    for name, values in run.history.items():
        points = client.get_metric_history(there.info.run_id, name)
        assert sorted((point.step, point.value) for point in points) == sorted(values.items())
    assert there.data.params["seed"] == "0"
    assert there.data.tags["data.notes"] == "none"
    assert there.inputs.dataset_inputs[0].dataset.name == "arrays"
    assert there.info.status == "FINISHED"
    path = client.download_artifacts(there.info.run_id, "notes/result.txt", None)
    assert Path(path).read_text() == "fine"


def refused(tmp_path) -> str:
    with pytest.raises(UserError) as raised:
        sync(tmp_path / "runs")
    return str(raised.value)


def change(uri, *statements):
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as database:
        for statement in statements:
            database.execute(statement)


def test_a_new_database_gets_everything_again(tmp_path, uri, capsys):
    run = record(tmp_path, uri)
    (tmp_path / "mlflow.db").unlink()
    new_store(tmp_path)
    shutil.rmtree(tmp_path / "mlartifacts")
    sync(tmp_path / "runs")
    check_complete(uri, run)
    sync(tmp_path / "runs")
    check_complete(uri, run)
    assert capsys.readouterr().out.count("entries to") == 1


def test_a_resumed_run_whose_database_is_new_is_there_in_full(tmp_path, uri):
    record(tmp_path, uri)
    (tmp_path / "mlflow.db").unlink()
    new_store(tmp_path)
    check_complete(uri, record(tmp_path, uri, steps=(1, 2, 3)))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM metrics WHERE step = 1",
        "DELETE FROM params",
        "DELETE FROM tags WHERE key = 'data.notes'",
        "UPDATE runs SET status = 'RUNNING', end_time = NULL",
        "DELETE FROM inputs",
    ],
)
def test_what_a_store_lost_of_a_run_comes_back(statement, tmp_path, uri):
    run = record(tmp_path, uri)
    change(uri, statement)
    sync(tmp_path / "runs")
    check_complete(uri, run)


def test_a_file_recorded_again_in_the_same_size_is_not_taken_for_the_old_one(tmp_path, uri):
    run = record(tmp_path, uri)
    (run.folder / "notes/result.txt").write_text("good")
    Journal(run.folder, pytest.fail).add("artifact", path="notes/result.txt")
    sync(tmp_path / "runs")
    (there,) = (tmp_path / "mlartifacts").glob("digits/*/artifacts/notes/result.txt")
    assert there.read_text() == "good"


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_file_that_the_store_lost_comes_back(damage, tmp_path, uri):
    run = record(tmp_path, uri)
    (there,) = (tmp_path / "mlartifacts").glob("digits/*/artifacts/notes/result.txt")
    there.unlink() if damage == "missing" else there.write_text("f")
    sync(tmp_path / "runs")
    check_complete(uri, run)


def test_what_the_ui_changed_stays(tmp_path, uri):
    run = record(tmp_path, uri)
    client, (there,) = stored(uri)
    client.set_tag(there.info.run_id, "data.notes", "none")
    client.set_tag(there.info.run_id, "mlflow.runName", "the good one")
    client.set_tag(there.info.run_id, "data.notes", "see Anna's mail")
    sync(tmp_path / "runs")
    (there,) = stored(uri)[1]
    assert there.info.run_name == "the good one"
    assert there.data.tags["data.notes"] == "see Anna's mail"
    assert run.id == there.data.tags["reprise.run"]


def test_a_run_deleted_in_the_ui_and_resumed_loses_nothing(tmp_path, uri, capsys):
    record(tmp_path, uri)
    client, (there,) = stored(uri)
    client.delete_run(there.info.run_id)
    sync(tmp_path / "runs")  # it is complete there, deleted as the user wants it
    run = record(tmp_path, uri, steps=(1, 2, 3))
    said = capsys.readouterr().err
    assert said.count("is deleted in MLflow") == 1
    assert stored(uri)[1] == []
    said = refused(tmp_path)
    assert "a: run a is deleted in MLflow" in said
    assert f"MLFLOW_TRACKING_URI={uri} .venv/bin/mlflow runs restore --run-id" in said
    client.restore_run(there.info.run_id)
    sync(tmp_path / "runs")
    check_complete(uri, run)


def test_a_deleted_experiment_is_named_and_restored(tmp_path, uri, capsys):
    record(tmp_path, uri)
    client, (there,) = stored(uri)
    client.delete_experiment(there.info.experiment_id)
    record(tmp_path, uri, name="b")
    said = capsys.readouterr().err
    assert said.count("experiment 'digits'") == 1
    assert "tracking.experiment=" in said
    said = refused(tmp_path)
    assert "b: MLflow's experiment 'digits'" in said
    assert "a:" not in said
    assert f"mlflow experiments restore --experiment-id {there.info.experiment_id}" in said
    client.restore_experiment(there.info.experiment_id)
    sync(tmp_path / "runs")
    assert len(stored(uri)[1]) == 2


def test_an_experiment_renamed_in_the_ui_keeps_its_runs(tmp_path, uri):
    record(tmp_path, uri)
    client, (there,) = stored(uri)
    client.rename_experiment(there.info.experiment_id, "numerals")
    run = record(tmp_path, uri, steps=(1, 2, 3))
    sync(tmp_path / "runs")
    check_complete(uri, run)


def test_an_experiment_deleted_for_good_is_made_again(tmp_path, uri):
    run = record(tmp_path, uri)
    client, (there,) = stored(uri)
    client.delete_experiment(there.info.experiment_id)
    client._tracking_client.store._hard_delete_experiment(there.info.experiment_id)  # mlflow gc
    sync(tmp_path / "runs")
    check_complete(uri, run)


def test_a_run_that_stands_twice_is_said_and_kept_up_once(tmp_path, uri, capsys):
    run = record(tmp_path, uri)
    client, (there,) = stored(uri)
    tags = {"reprise.run": "a", "mlflow.runName": "cnn a"}
    other = client.create_run(there.info.experiment_id, tags=tags).info.run_id
    sync(tmp_path / "runs")
    said = capsys.readouterr().out
    assert "a stands in MLflow 2 times" in said
    assert f"mlflow runs delete --run-id {other}" in said
    client.delete_run(other)
    sync(tmp_path / "runs")
    check_complete(uri, run)


def test_two_machines_that_deliver_one_run_make_one(tmp_path, uri):
    folder = tmp_path / "one/runs/digits/a"
    folder.mkdir(parents=True)
    journal = Journal(folder, pytest.fail)
    journal.add("start", experiment="digits", name="cnn a", uri=uri)
    journal.add("metrics", step=1, values={"valid/loss": 1.0})
    journal.add("status", status="FINISHED")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for name in ("one", "two", "one"):
        sync(tmp_path / name / "runs")
    client, (there,) = stored(uri)
    assert len(client.get_metric_history(there.info.run_id, "valid/loss")) == 1


def test_numbers_and_status_do_not_wait_for_files_without_boto3(tmp_path, uri, capsys):
    MlflowClient(uri).create_experiment("digits", "s3://nowhere/digits")
    run = record(tmp_path, uri)
    (there,) = stored(uri)[1]
    assert there.info.status == "FINISHED"
    assert there.data.metrics == {"valid/loss": 0.5, "valid/iou": 0.5}
    said = capsys.readouterr().err
    assert said.count("bin/pip install boto3") == 1
    said = refused(tmp_path)
    assert "a: notes/result.txt: " in said
    assert "bin/pip install boto3" in said
    assert run.folder.exists()


def test_files_come_when_their_folder_can_be_written(tmp_path, uri, capsys):
    (tmp_path / "mlartifacts").write_text("a file where MLflow's folder belongs")
    run = record(tmp_path, uri)
    assert stored(uri)[1][0].info.status == "FINISHED"
    assert "mlartifacts" in capsys.readouterr().err
    assert "notes/result.txt" in refused(tmp_path)
    (tmp_path / "mlartifacts").unlink()
    sync(tmp_path / "runs")
    check_complete(uri, run)


def test_a_run_whose_folder_cannot_be_written_keeps_no_other_back(tmp_path, uri):
    for name in ("a", "b"):
        record(tmp_path, uri, name=name)
    (tmp_path / "runs/digits/a/delivery.lock").unlink()
    (tmp_path / "runs/digits/a/delivery.lock").symlink_to("/nowhere/at all")
    change(uri, "DELETE FROM params")
    assert "a: a file cannot be written" in refused(tmp_path)
    found = {run.data.tags["reprise.run"]: run.data.params for run in stored(uri)[1]}
    assert found == {"a": {}, "b": {"seed": "0", "lr": "0.1"}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("revision", "said"),
    [("ffffffffffff", "newer release of MLflow"), ("0a8213491aaa", "older release of MLflow")],
)
def test_a_database_of_another_release_is_told_apart(revision, said, tmp_path, uri):
    run = record(tmp_path, uri)
    change(uri, f"UPDATE alembic_version SET version_num = '{revision}'")
    done = reprise("sync", f"runs={tmp_path}/runs")
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    remedy = f"mlflow db upgrade {uri}" if "older" in said else "uri=sqlite:///other.db"
    assert remedy in done.stderr
    other = f"sqlite:///{tmp_path}/other.db"
    done = reprise("sync", f"runs={tmp_path}/runs", f"uri={other}")
    assert done.returncode == 0, done.stderr
    check_complete(other, run)


def test_a_file_that_is_no_database_is_moved_away(tmp_path, uri):
    run = record(tmp_path, uri)
    (tmp_path / "mlflow.db").write_text("no database " * 100)
    said = refused(tmp_path)
    assert "is no database" in said
    assert "move the file away" in said
    (tmp_path / "mlflow.db").rename(tmp_path / "away.db")
    sync(tmp_path / "runs")
    check_complete(uri, run)


def test_numbers_that_are_none_and_names_that_are_paths_are_there_once(tmp_path, uri):
    values = {
        "valid/nan": math.nan, "valid/inf": math.inf, "valid/-inf": -math.inf,
        "valid/iou_../up": 1.0, "valid/iou_//": 2.0, "valid/iou_c++": 3.0, "valid/iou_c??": 4.0,
        "valid/iou_" + "x" * 300: 5.0, "valid/iou_" + "x" * 299 + "y": 6.0, "valid/.": 7.0,
    }  # fmt: skip
    with open_run(tmp_path / "runs/digits/a", "digits", "a", uri=uri, redact=str) as run:
        run.metrics(values, step=1)
        run.metrics(values, step=2)
        run.params({"long": "x" * 7000, "a/../b": 1, "empty": ""})
    for _ in range(2):
        sync(tmp_path / "runs")
    client, (there,) = stored(uri)
    assert len(there.data.metrics) == len(values) == len(run.history)
    for name in there.data.metrics:
        assert len(client.get_metric_history(there.info.run_id, name)) == 2
    assert sorted(there.data.metrics.values())[-1] == sys.float_info.max
    assert len(there.data.params) == 3


def test_a_clock_that_goes_backwards_changes_nothing(tmp_path, uri, monkeypatch):
    times = iter(range(2_000_000_000_000_000_000, 0, -(10**15)))
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    run = record(tmp_path, uri, steps=(1, 2, 3))
    sync(tmp_path / "runs")
    check_complete(uri, run)
    (there,) = stored(uri)[1]
    assert there.data.metrics["valid/loss"] == 1 / 3
    assert there.info.end_time >= there.info.start_time


def test_a_number_that_differs_is_said_and_not_doubled(tmp_path, uri):
    run = record(tmp_path, uri)
    client, (there,) = stored(uri)
    client.log_batch(there.info.run_id, [Metric("valid/loss", 9.0, 1, 3)])
    Journal(run.folder, pytest.fail).add("metrics", step=3, values={"valid/loss": 0.3})
    said = refused(tmp_path)
    assert "valid/loss: is 9.0 at step 3 in MLflow and 0.3 here" in said
    assert len(client.get_metric_history(there.info.run_id, "valid/loss")) == 3


def test_a_database_deleted_under_a_run_is_made_again(tmp_path, uri):
    with open_run(tmp_path / "runs/digits/a", "digits", "a", uri=uri, redact=str) as run:
        run.metrics({"valid/loss": 1.0}, step=1)
        while delivered(run.folder) is None:
            time.sleep(0.05)
        (tmp_path / "mlflow.db").unlink()
        run.metrics({"valid/loss": 0.5}, step=2)
    client, (there,) = stored(uri)
    points = client.get_metric_history(there.info.run_id, "valid/loss")
    assert [(point.step, point.value) for point in points] == [(1, 1.0), (2, 0.5)]


@pytest.mark.parametrize("is_old", [False, True], ids=["now", "before folders were noted"])
def test_a_copied_folder_is_a_run_of_its_own_and_a_renamed_one_stays_the_same(
    is_old, tmp_path, uri
):
    run = record(tmp_path, uri).folder
    if is_old:
        note = json.loads((run / DELIVERED).read_text())
        (run / DELIVERED).write_text(json.dumps(note | {"run": ""}))
    copy = run.with_name("copy")
    shutil.copytree(run, copy)
    for folder in (copy, run):  # as a resume does, which asks the store for nothing
        Journal(folder, pytest.fail).add("metrics", step=9, values={f"of {folder.name}": 9.0})
        deliver(folder, uri, uri, print)
    deliver(copy.rename(run.with_name("renamed")), uri, uri, print)
    sync(tmp_path / "runs")
    names = {one.data.tags[RUN_TAG]: {*one.data.metrics} for one in stored(uri)[1]}
    common = {"valid/loss", "valid/iou"}
    assert names == {"a": common | {"of a"}, "renamed": common | {"of copy"}}
