"""A run's model in MLflow's registry: the better one has the alias."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tiny import array_words, reprise, write_arrays

from reprise.errors import UserError
from reprise.runs.promote import models, promote
from reprise.runs.registered import find_model


@pytest.mark.slow
def test_only_a_better_model_takes_the_alias(tmp_path):
    words = array_words(write_arrays(tmp_path / "digits.npz"), tmp_path)
    more = ("trainer.monitor=valid/loss", "trainer.monitor_mode=min")
    for rate in ("1e-6", "1e-3"):
        done = reprise("train", *words, *more, f"optimizer.learning_rate={rate}")
        assert done.returncode == 0, done.stderr[-2000:]
    poor, good = sorted(path.name for path in (tmp_path / "runs/digits").iterdir())
    where = (f"runs={tmp_path}/runs", "name=digits")

    first = reprise("promote", f"run={poor}", *where)
    assert first.stdout.startswith("digits version 1 is digits@champion: test/loss "), first.stderr
    second = reprise("promote", f"run={good}", *where)
    assert f"of run {poor} before" in second.stdout, second.stderr
    refused = reprise("promote", f"run={poor}", *where)
    assert refused.returncode == 2
    assert f"run {poor} is not better than digits@champion" in refused.stderr
    again = reprise("promote", f"run={good}", *where)
    assert "is digits@champion already" in again.stderr

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    listed = reprise("models", f"uri={uri}").stdout.splitlines()
    assert [line.split("|")[2:5] for line in listed[2:]] == [
        [" 2       ", " champion ", f" {good} "],
        [" 1       ", "          ", f" {poor} "],
    ]
    with ThreadPoolExecutor(2) as at_once:
        words = [("promote", f"run={run}", where[0], "name=both") for run in (good, poor)]
        done = list(at_once.map(lambda one: reprise(*one), words))
    assert done[0].returncode == 0, done[0].stderr
    assert find_model("both@champion", tmp_path / "runs", uri).folder.name == good
    forced = reprise("promote", f"run={poor}", *where, "force=true")
    assert forced.stdout.startswith("digits version 3 is digits@champion"), forced.stderr


@pytest.mark.parametrize("words", [("a@b", "champion"), ("a/b", "champion"), ("a", "Latest")])
def test_names_that_could_not_be_asked_for_are_refused_first(tmp_path, words):
    with pytest.raises(UserError, match="cannot be called"):
        promote("last", tmp_path, *words)


def test_a_registry_that_does_not_answer_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for ask in (models, lambda uri: find_model("a@b", tmp_path, uri)):
        with pytest.raises(UserError, match="127"):
            ask("http://127.0.0.1:9")
