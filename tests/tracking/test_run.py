import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tiny import new_store

from reprise.config.secrets import redact
from reprise.tracking.journal import Journal, delivered, metric_history, params_of
from reprise.tracking.mlflow_store import make_database
from reprise.tracking.run import open_run
from reprise.tracking.settings import tracking_uri


@pytest.fixture
def uri(tmp_path):
    return new_store(tmp_path)


def start(tmp_path, uri, redact=lambda text: text, name="a"):
    folder = tmp_path / "runs/digits" / name
    return open_run(folder, "digits", f"unet {name}", uri=uri, redact=redact)


def stored(uri):
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("digits")
    return client, client.search_runs([experiment.experiment_id])


def history(client, run, name):
    return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]


def test_a_run_holds_what_was_written(tmp_path, uri):
    with start(tmp_path, uri) as run:
        run.params({f"p{i}": i for i in range(250)})
        run.tags({"weights_sha256": "abc"})
        run.metrics({"valid/iou": 0.5, "valid/loss": 1.5}, step=1)
        run.metrics({"valid/iou": 0.75}, step=2)
        run.text("notes/config.yaml", "seed: 0\n")
        run.data("image_mask", "0" * 40, "data")
    client, (found,) = stored(uri)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "unet a")
    assert found.data.params == {f"p{i}": str(i) for i in range(250)}
    assert found.data.tags["weights_sha256"] == "abc"
    assert found.data.tags["reprise.run"] == "a"
    assert history(client, found, "valid/iou") == [(1, 0.5), (2, 0.75)]
    assert found.inputs.dataset_inputs[0].dataset.digest == "0" * 36
    path = client.download_artifacts(found.info.run_id, "notes/config.yaml", str(tmp_path))
    assert Path(path).read_text() == "seed: 0\n"
    kind = client.get_experiment(found.info.experiment_id).tags["mlflow.experimentKind"]
    assert kind == "custom_model_development"


def test_a_folder_takes_no_room_twice_where_the_store_can_link_it(tmp_path, uri, monkeypatch):
    def refuse(*args):
        raise OSError("no links here")

    inodes = []
    for round_ in range(3):  # a new file, the same again, and a store on another file system
        with start(tmp_path, uri) as run:
            path = run.folder / "model/data/model.keras"
            path.parent.mkdir(parents=True, exist_ok=True)
            if round_ == 0:
                path.write_text("weights")
            if round_ == 2:
                path.unlink()
                path.write_text("other weights")
                monkeypatch.setattr(os, "link", refuse)
            run.artifact(run.folder / "model")
        (there,) = (tmp_path / "mlartifacts/digits").glob("*/artifacts/model/data/model.keras")
        assert there.read_bytes() == path.read_bytes()
        inodes.append(there.samefile(path))
    assert inodes == [True, True, False]


@pytest.mark.parametrize(
    ("error", "status", "artifacts"),
    [(ValueError("boom"), "FAILED", ["traceback.txt"]), (KeyboardInterrupt(), "KILLED", [])],
)
def test_the_status_tells_how_it_ended(tmp_path, uri, error, status, artifacts):
    with pytest.raises(type(error)), start(tmp_path, uri):
        raise error
    client, (found,) = stored(uri)
    assert found.info.status == status
    assert [file.path for file in client.list_artifacts(found.info.run_id)] == artifacts


def test_no_secret_is_written_anywhere(tmp_path, uri):
    secret = "mysql://me:hunter2@host/db"

    def fail(run):
        run.params({"url": secret})
        run.tags({"command": f"dataset.url={secret}"})
        run.text("config.yaml", f"url: {secret}")
        run.data("sql", "1", secret)
        raise RuntimeError(f"cannot reach {secret}")

    with (
        pytest.raises(RuntimeError),
        start(tmp_path, uri, lambda text: text.replace("hunter2", "***")) as run,
    ):
        fail(run)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        assert b"hunter2" not in path.read_bytes(), path


def test_the_address_is_absolute(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(None).startswith("sqlite:////")
    assert tracking_uri("http://host:5000") == "http://host:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://other:5000")
    assert tracking_uri(None) == "http://other:5000"
    assert tracking_uri("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_a_number_is_recorded_once_for_each_step_even_by_a_later_attempt(tmp_path, uri):
    with start(tmp_path, uri) as run:
        run.metrics({"valid/iou": 0.5}, step=1)
    with start(tmp_path, uri) as run:
        assert run.history == {"valid/iou": {1: 0.5}}
        run.metrics({"valid/iou": 0.75, "valid/loss": 2.0}, step=1)
        run.metrics({"valid/iou": 1.0}, step=2)
    client, (found,) = stored(uri)
    assert history(client, found, "valid/iou") == [(1, 0.5), (2, 1.0)]
    assert history(client, found, "valid/loss") == [(1, 2.0)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"valid/iou_c++": 0.5, "valid/iou_Straße (nass)": 0.25},
            {"valid/iou_c__": 0.5, "valid/iou_Straße _nass_": 0.25},
        ),
        ({f"iou_{i}": i / 1500 for i in range(1500)}, {f"iou_{i}": i / 1500 for i in range(1500)}),
    ],
    ids=["letters that MLflow does not take", "more classes than one call takes"],
)
def test_classes_may_have_any_name_and_number(given, expected, tmp_path, uri):
    with start(tmp_path, uri) as run:
        run.metrics(given, step=1)
    assert stored(uri)[1][0].data.metrics == expected


def test_a_child_stands_under_its_parent_wherever_its_folder_is(tmp_path, uri):
    with start(tmp_path, uri):
        other = tmp_path / "runs/other/b"
        with open_run(other, "other", "unet b", uri=uri, redact=str) as run:
            run.child_of("a")
            run.child_of("of another machine")  # not here: it stands where it stood
    client, (parent,) = stored(uri)
    (child,) = client.search_runs([client.get_experiment_by_name("other").experiment_id])
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_mlflow_is_not_imported_before_the_first_metrics(tmp_path, uri):
    code = (
        "import pathlib, sys\n"
        "from reprise.tracking.run import open_run\n"
        "with open_run(pathlib.Path(sys.argv[1]), 'e', 'n', uri=sys.argv[2], redact=str) as run:\n"
        "    run.params({'seed': 0})\n"
        "    run.text('config.yaml', 'seed: 0')\n"
        "    assert 'mlflow' not in sys.modules\n"
    )
    folder = tmp_path / "runs/e/a"
    subprocess.run([sys.executable, "-c", code, folder, uri], check=True)
    assert delivered(folder).offset == (folder / "journal.jsonl").stat().st_size


def test_a_run_whose_store_is_not_there_ends_well_and_says_how_to_go_on(tmp_path, capsys):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"http://me:hunter2@127.0.0.1:{taken.getsockname()[1]}"
        with start(tmp_path, address, redact) as run:
            run.metrics({"valid/iou": 0.5}, step=1)
    said = capsys.readouterr().err
    assert (said.count("does not answer"), said.count("make sync")) == (1, 2)
    assert "hunter2" not in said
    assert metric_history(run.folder) == {"valid/iou": {1: 0.5}}
    assert delivered(run.folder) is None


def test_the_next_run_delivers_what_the_one_before_could_not(tmp_path, uri):
    folder = tmp_path / "runs/digits/a"
    folder.mkdir(parents=True)
    journal = Journal(folder, pytest.fail)
    journal.add("start", experiment="digits", name="unet a", uri=uri)
    journal.add("metrics", step=1, values={"valid/iou": 0.5})
    journal.add("status", status="FINISHED")
    with start(tmp_path, uri, name="b"):
        pass
    found = {run.data.tags["reprise.run"]: run for run in stored(uri)[1]}
    assert set(found) == {"a", "b"}
    assert found["a"].data.metrics == {"valid/iou": 0.5}
    assert found["a"].info.status == "FINISHED"
    assert found["a"].info.start_time <= found["b"].info.start_time


def test_a_kill_while_the_database_is_made_leaves_none_and_the_next_makes_it(tmp_path):
    uri = f"sqlite:///{tmp_path}/m.db"
    code = f"from reprise.tracking.mlflow_store import make_database as m; m({uri!r})"
    making = subprocess.Popen([sys.executable, "-c", code])
    while not (tmp_path / ".partial-m.db").exists():
        assert making.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)  # amid its tables
    making.kill()
    making.wait()
    assert not (tmp_path / "m.db").exists()
    other = subprocess.Popen([sys.executable, "-c", code])
    make_database(uri)
    assert other.wait() == 0
    assert [file.name for file in tmp_path.iterdir()] == ["m.db"]
    assert len(MlflowClient(uri).search_experiments()) == 1


def test_a_disk_that_is_full_is_said_once_and_nothing_is_lost(tmp_path, uri, capsys):
    with start(tmp_path, uri) as run:
        path = run.folder / "journal.jsonl"
        path.rename(tmp_path / "kept")
        path.mkdir()  # what cannot be written, whoever asks
        run.metrics({"valid/iou": 0.5}, step=1)
        run.metrics({"valid/iou": 0.75}, step=2)
        path.rmdir()
        (tmp_path / "kept").rename(path)
    assert capsys.readouterr().err.count("cannot be written") == 1
    client, (found,) = stored(uri)
    assert history(client, found, "valid/iou") == [(1, 0.5), (2, 0.75)]


def test_a_text_that_is_no_utf8_is_recorded_with_escapes(tmp_path):
    """Such as a path of another time: a store would refuse it for ever."""
    folder = tmp_path / "runs/e/20261121-1"
    with open_run(folder, "e", "n", uri=f"sqlite:///{tmp_path}/x/y.db", redact=str) as run:
        run.params({"dataset.table": os.fsdecode(b"data/\xff.csv")})
    assert params_of(folder) == {"dataset.table": "data/\\udcff.csv"}
