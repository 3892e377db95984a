"""`make sync`: what a store has missed of any run comes to it, once."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from tiny import reprise

from reprise.tracking.journal import JOURNAL, Journal
from reprise.tracking.run import open_run


@pytest.fixture
def runs(tmp_path):
    """Three runs recorded for a store that is not there yet: finished, killed, and torn."""
    for name in ("a", "b", "c"):
        folder = tmp_path / "runs/digits" / name
        folder.mkdir(parents=True)
        journal = Journal(folder, pytest.fail)
        uri = f"sqlite:///{tmp_path}/mlflow.db"
        journal.add("start", experiment="digits", name=f"cnn {name}", uri=uri)
        journal.add("status", status="RUNNING")
        journal.add("params", values={"seed": "0"})
        for step in (1, 2):
            journal.add("metrics", step=step, values={"valid/loss": 1 / step})
        (folder / "notes").mkdir()
        (folder / "notes/result.txt").write_text(name)
        journal.add("artifact", path="notes/result.txt")
        journal.add("artifact", path="pictures/taken away.png")
        if name == "a":
            journal.add("status", status="FINISHED")
    with (tmp_path / "runs/digits/c" / JOURNAL).open("a") as file:
        file.write('{"kind": "metrics", "at": 1, "step": 3, "val')
    return tmp_path / "runs"


def stored(folder):
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    return client, {run.data.tags["reprise.run"]: run for run in found}


def test_what_is_missing_is_delivered_once(runs, tmp_path):
    for attempt in range(3):
        done = reprise("sync", f"runs={runs}")
        assert done.returncode == 0, done.stderr
        assert "3 runs, nothing is outstanding" in done.stdout
        assert done.stdout.count("entries to") == (3, 0, 0)[attempt]
        if attempt == 1:  # what a kill between delivery and its record leaves
            for folder in runs.glob("*/*"):
                (folder / "delivered.json").unlink(missing_ok=True)
    client, found = stored(tmp_path)
    assert {name: run.info.status for name, run in found.items()} == {
        "a": "FINISHED", "b": "KILLED", "c": "KILLED",
    }  # fmt: skip
    for name, run in found.items():
        assert run.data.params == {"seed": "0"}
        history = client.get_metric_history(run.info.run_id, "valid/loss")
        assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
        path = client.download_artifacts(run.info.run_id, "notes/result.txt", str(tmp_path))
        assert Path(path).read_text() == name


@pytest.mark.slow
def test_all_runs_can_go_to_another_store(runs, tmp_path):
    (tmp_path / "other").mkdir()
    other = f"sqlite:///{tmp_path}/other/mlflow.db"
    assert reprise("sync", f"runs={runs}", f"uri={other}").stdout.count(other) == 3
    assert len(stored(tmp_path / "other")[1]) == 3
    assert not (tmp_path / "mlflow.db").exists()


def test_a_store_that_does_not_answer_is_named_and_nothing_is_lost(runs, tmp_path):
    before = (runs / "digits/a" / JOURNAL).read_bytes()
    done = reprise("sync", f"runs={runs}", "uri=http://me:hunter2@127.0.0.1:9")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "http://me:***@127.0.0.1:9" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert (runs / "digits/a" / JOURNAL).read_bytes() == before


def test_what_the_store_refuses_for_good_holds_nothing_else_up(tmp_path, capsys):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_run(tmp_path / "runs/digits/a", "digits", "a", uri=uri, redact=str) as run:
        run.params({"seed": 0})
        run.params({"seed": 1, "lr": 2})
    Journal(run.folder, pytest.fail).add("params", values={"seed": "3"})  # by another hand
    with open_run(tmp_path / "runs/digits/a", "digits", "a", uri=uri, redact=str) as run:
        run.metrics({"valid/loss": 1.0}, step=1)
    found = stored(tmp_path)[1]["a"]
    assert found.data.params == {"seed": "0", "lr": "2"}
    assert found.data.metrics == {"valid/loss": 1.0}
    assert "seed: MLflow refuses it" in capsys.readouterr().err
