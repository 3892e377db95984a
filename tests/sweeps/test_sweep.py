"""A sweep through the command line, and the same command a second time."""

import json

import pytest
from mlflow import MlflowClient
from tiny import ROOT, array_words, reprise, write_arrays

from reprise.cli import resume, sweep
from reprise.errors import UserError
from reprise.runs.load import find
from reprise.sweeps.ledger import Ledger

GRID = ["optimizer.learning_rate=1e-2,1e-3"]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def words(out):
    return [*array_words(write_arrays(out / "digits.npz"), out), *GRID]


@pytest.fixture(scope="module")
def swept(out, words):
    """What a sweep of two jobs says, and its folder."""
    done = reprise("train", "-m", *words)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    (identity,) = out.glob("runs/digits/*/sweep.json")
    return done.stdout, identity.parent


def test_it_says_what_runs_and_what_came_of_it(swept):
    text, folder = swept
    assert f"sweep {folder.name} is over: 2 done" in text
    assert "job 01 learning_rate=0.01\njob 01 done: valid/accuracy " in text
    assert "| job | optimizer.learning_rate | state | valid/accuracy | test/accuracy" in text
    assert f"make evaluate run={folder.name}-00" in text


def test_its_jobs_are_children_of_one_run(out, swept):
    folder = swept[1]
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {f"sweep {folder.name}", "01 learning_rate=0.01", "02 learning_rate=0.001"}
    parent, one = runs[f"sweep {folder.name}"], runs["01 learning_rate=0.01"]
    for run in runs.values():
        assert run.info.status == "FINISHED"
        assert run.data.tags["sweep.id"] == folder.name
        expected = None if run is parent else parent.info.run_id
        assert run.data.tags.get("mlflow.parentRunId") == expected
    assert one.data.params["optimizer.learning_rate"] == "0.01"
    assert one.data.tags["sweep.optimizer.learning_rate"] == "0.01"
    result = json.loads((folder.parent / f"{folder.name}-001/result.json").read_text())
    scores = {run.data.metrics["best/valid/accuracy"] for run in runs.values() if run is not parent}
    assert parent.data.metrics["best/valid/accuracy"] == max(scores)
    assert parent.data.tags["sweep.best_run"].startswith(folder.name)
    assert f"{result['valid/accuracy']:.4f}" in parent.data.tags["mlflow.note.content"]
    files = [file.path for file in client.list_artifacts(parent.info.run_id)]
    assert files == ["pictures", "summary.md"]


def test_last_is_a_job_and_never_the_sweep(out, swept):
    assert find("last", out / "runs").folder.name == f"{swept[1].name}-002"
    with pytest.raises(UserError, match="no run"):
        find(swept[1].name, out / "runs")
    assert swept[1].name + " " not in reprise("runs", f"runs={out}/runs").stdout


def test_the_same_command_and_resume_find_nothing_left_to_do(out, words, swept, capsys):
    ledger = (swept[1] / "ledger.jsonl").read_text()
    sweep.main(words)
    assert "is over: 2 done" in capsys.readouterr().out
    resume.main([f"sweep={swept[1].name}", f"runs={out}/runs", "launcher.n_jobs=2"])
    assert "is over: 2 done" in capsys.readouterr().out
    assert (swept[1] / "ledger.jsonl").read_text() == ledger
    assert len(Ledger(swept[1]).jobs()) == 2
    for path in swept[1].glob("jobs/*.json"):  # which may go on on another machine
        assert str(ROOT) not in path.read_text()


def test_what_cannot_be_gone_on_with_is_refused(out, words, swept):
    for asked, text in (
        (["sweep=nothing"], f"(?s)no sweep 'nothing'.*{swept[1].name}"),
        (["sweep=last", "seed=3"], r"(?s)goes on with the jobs that it began with.*seed=3"),
    ):
        with pytest.raises(UserError, match=text):
            resume.main([*asked, f"runs={out}/runs"])
    identity = swept[1] / "sweep.json"
    kept = identity.read_text()
    changed = json.loads(kept)
    changed["compositions"][""]["model.dropout"] = 0.75
    changed["data_digest"], changed["backend"] = "other", "torch"
    identity.write_text(json.dumps(changed))
    with pytest.raises(
        UserError,
        match=r"(?s)model.dropout: 0.75 -> .*data.digest: other -> .*KERAS_BACKEND: torch -> ",
    ):
        sweep.main(words)
    identity.write_text(kept)
