from pathlib import Path

import pytest
from mlflow import MlflowClient

from reprise.tracking.run import open_run
from reprise.tracking.store import tracking_uri


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path}/mlflow.db"


def start(tmp_path, uri, redact=lambda text: text, name="a"):
    return open_run(tmp_path / "runs" / name, "digits", f"unet {name}", uri=uri, redact=redact)


def stored(uri):
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("digits")
    return client, client.search_runs([experiment.experiment_id])


def test_a_run_holds_what_was_written(tmp_path, uri):
    with start(tmp_path, uri) as run:
        run.params({f"p{i}": i for i in range(250)})
        run.tags({"weights_sha256": "abc"})
        run.metrics({"valid/iou": 0.5, "valid/loss": 1.5}, step=1)
        run.metrics({"valid/iou": 0.75}, step=2)
        run.text("notes/config.yaml", "seed: 0\n")
        run.data("image_mask", "0" * 40, "data")
    client, (found,) = stored(uri)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "unet a"
    assert len(found.data.params) == 250
    assert found.data.params["p249"] == "249"
    assert found.data.tags["weights_sha256"] == "abc"
    assert found.data.tags["reprise.run"] == "a"
    history = client.get_metric_history(found.info.run_id, "valid/iou")
    assert [(m.step, m.value) for m in history] == [(1, 0.5), (2, 0.75)]
    assert found.inputs.dataset_inputs[0].dataset.digest == "0" * 36
    path = client.download_artifacts(found.info.run_id, "notes/config.yaml", str(tmp_path))
    assert Path(path).read_text() == "seed: 0\n"
    kind = client.get_experiment(found.info.experiment_id).tags["mlflow.experimentKind"]
    assert kind == "custom_model_development"


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
    def redact(text):
        return text.replace("hunter2", "***")

    def fail(run):
        run.params({"url": "mysql://me:hunter2@host/db"})
        run.tags({"command": "dataset.url=mysql://me:hunter2@host/db"})
        run.text("config.yaml", "url: mysql://me:hunter2@host/db")
        run.data("sql", "1", "mysql://me:hunter2@host/db")
        raise RuntimeError("cannot reach mysql://me:hunter2@host/db")

    with pytest.raises(RuntimeError), start(tmp_path, uri, redact) as run:
        fail(run)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        assert b"hunter2" not in path.read_bytes(), path


def test_two_runs_share_an_experiment(tmp_path, uri):
    for name in ("a", "b"):
        with start(tmp_path, uri, name=name):
            pass
    assert len(stored(uri)[1]) == 2


def test_the_address_is_absolute(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(None).startswith("sqlite:////")
    assert tracking_uri("http://host:5000") == "http://host:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://other:5000")
    assert tracking_uri(None) == "http://other:5000"
    assert tracking_uri("sqlite:////a/b.db") == "sqlite:////a/b.db"
