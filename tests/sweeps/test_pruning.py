"""A job that lags behind the others ends; the study hears of every epoch once."""

import json
from types import SimpleNamespace

import optuna
import pytest

from reprise.errors import Pruned
from reprise.sweeps.pruning import pruning_callbacks
from reprise.sweeps.settings import STORAGE

SETTINGS = {"study": "s", "monitor": "val_iou", "n_startup_trials": 2, "n_warmup_epochs": 1}


@pytest.fixture
def study(tmp_path):
    (tmp_path / "digits/s").mkdir(parents=True)
    storage = f"sqlite:///{tmp_path}/digits/s/study.db"
    return optuna.create_study(storage=storage, study_name="s", direction="maximize")


def run_of(tmp_path, trial, is_local=True):
    """A run's folder beside that of its sweep, and a record that remembers what it is told."""
    folder = tmp_path / f"digits/s-{trial.number}"
    folder.mkdir()
    said = SETTINGS | {"trial": trial._trial_id, "is_local": is_local}
    (folder / "job.json").write_text(json.dumps({"sweep": "s", "trial": said}))
    noted = []
    return SimpleNamespace(
        folder=folder,
        noted=noted,
        tags=lambda tags: noted.append({name: str(value) for name, value in tags.items()}),
        text=lambda name, text: noted.append((name, text)),
    )


def train(run, *values):
    (callback,) = pruning_callbacks(run)
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_iou": value})


def complete(study, *values):
    trial = study.ask()
    for step, value in enumerate(values, 1):
        trial.report(value, step)
    study.tell(trial, values[-1])


def test_worse_than_the_median_it_ends_and_says_so(tmp_path, study):
    complete(study, 0.5, 0.6, 0.7)
    complete(study, 0.4, 0.5, 0.6)
    run = run_of(tmp_path, study.ask())
    with pytest.raises(Pruned, match="pruned after epoch 2"):
        train(run, 0.1, 0.2, 0.9)
    assert run.noted == [
        {"sweep.pruned": "pruned after epoch 2"}, ("pruned.txt", "pruned after epoch 2\n"),
    ]  # fmt: skip
    assert study.trials[2].intermediate_values == {1: 0.1, 2: 0.2}


def test_as_good_as_the_others_it_goes_on(tmp_path, study):
    complete(study, 0.5, 0.6, 0.7)
    complete(study, 0.4, 0.5, 0.6)
    run = run_of(tmp_path, study.ask())
    train(run, 0.5, 0.6, 0.7)
    assert run.noted == []


def test_before_enough_have_finished_none_is_ended(tmp_path, study):
    complete(study, 0.5, 0.6, 0.7)
    train(run_of(tmp_path, study.ask()), 0.1, 0.1, 0.1)


def test_an_epoch_done_once_more_after_a_kill_is_reported_once(tmp_path, study):
    run = run_of(tmp_path, study.ask())
    train(run, 0.1, 0.2)
    train(run, 0.1, 0.2, 0.3)
    assert study.trials[0].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}


def test_a_pruned_run_that_is_gone_on_with_by_hand_is_left_alone(tmp_path, study):
    trial = study.ask()
    run = run_of(tmp_path, trial)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    assert pruning_callbacks(run) == []


def test_what_is_no_job_of_a_search_is_left_alone(tmp_path):
    assert pruning_callbacks(SimpleNamespace(folder=tmp_path)) == []
    (tmp_path / "job.json").write_text(json.dumps({"sweep": "s", "trial": None}))
    assert pruning_callbacks(SimpleNamespace(folder=tmp_path)) == []


def test_a_database_elsewhere_is_named_by_the_environment(tmp_path, study, monkeypatch, capsys):
    run = run_of(tmp_path, study.ask(), is_local=False)
    monkeypatch.delenv(STORAGE, raising=False)
    assert pruning_callbacks(run) == []
    assert f"{STORAGE} names no database" in capsys.readouterr().err
    monkeypatch.setenv(STORAGE, f"sqlite:///{tmp_path}/digits/s/study.db")
    train(run, 0.1)
    assert study.trials[0].intermediate_values == {1: 0.1}
