"""A job's file, what its run records of it, and how it is pruned."""

import json
import subprocess
import sys
from unittest.mock import Mock

import optuna
import pytest

from reprise.errors import Pruned
from reprise.runs.folder import JOB
from reprise.runs.job import Job, read_job
from reprise.sweeps.job import pruning_callbacks
from reprise.sweeps.settings import STORAGE

ONE = Job("s", 3, "s-003", "k", ["optimizer.learning_rate=0.001", "+model=unet", "seed=1"])


def test_a_job_is_read_as_it_was_written(tmp_path):
    ONE.write(tmp_path / "jobs/003.json")
    assert read_job(tmp_path / "jobs/003.json") == ONE
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["003.json"]
    assert ONE.title == "03 learning_rate=0.001 model=unet seed=1"


def test_its_run_says_which_job_it_is():
    run = Mock()
    ONE.record(run)
    run.child_of.assert_called_once_with("s")
    run.params.assert_called_once_with({"model": "unet", "seed": "1"})
    assert [call.args[0] for call in run.tags.call_args_list] == [
        {"sweep.id": "s", "sweep.job": 3, "sweep.key": "k"},
        {"sweep.optimizer.learning_rate": "0.001", "sweep.model": "unet", "sweep.seed": "1"},
    ]
    name, text = run.text.call_args.args
    assert (name, json.loads(text)["run"]) == ("job.json", "s-003")


SETTINGS = {"study": "s", "monitor": "val_iou", "n_startup_trials": 2, "n_warmup_epochs": 1}
SETTINGS["trial"] = 99  # in the files of older sweeps: Optuna's own id


@pytest.fixture
def study(tmp_path):
    (tmp_path / "digits/s").mkdir(parents=True)
    storage = f"sqlite:///{tmp_path}/digits/s/study.db"
    return optuna.create_study(storage=storage, study_name="s", direction="maximize")


def run_of(tmp_path, trial, is_local=True):
    """A run's folder beside that of its sweep, and a record that remembers what it is told."""
    folder = tmp_path / f"digits/s-{trial.number}"
    Job("s", trial.number + 1, "r", "k", [], SETTINGS | {"is_local": is_local}).write(folder / JOB)
    return Mock(folder=folder)


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
    assert str(run.tags.call_args.args[0]["sweep.pruned"]) == "pruned after epoch 2"
    run.text.assert_called_once_with("pruned.txt", "pruned after epoch 2\n")
    assert study.trials[2].intermediate_values == {1: 0.1, 2: 0.2}


@pytest.mark.parametrize(("finished", "values"), [(2, (0.5, 0.6, 0.7)), (1, (0.1, 0.1, 0.1))])
def test_as_good_as_the_others_or_before_enough_have_finished_it_goes_on(
    tmp_path, study, finished, values
):
    for worse in range(finished):
        complete(study, *(value - 0.1 * worse for value in (0.5, 0.6, 0.7)))
    run = run_of(tmp_path, study.ask())
    train(run, *values)
    run.text.assert_not_called()


def test_an_epoch_done_once_more_after_a_kill_is_reported_once(tmp_path, study):
    run = run_of(tmp_path, study.ask())
    train(run, 0.1, 0.2)
    train(run, 0.1, 0.2, 0.3)
    assert study.trials[0].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}


def test_a_run_that_no_search_waits_for_is_left_alone(tmp_path, study):
    trial = study.ask()
    run = run_of(tmp_path, trial)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    assert pruning_callbacks(run) == []  # it is gone on with by hand
    assert pruning_callbacks(Mock(folder=tmp_path)) == []
    ONE.write(tmp_path / JOB)
    assert pruning_callbacks(Mock(folder=tmp_path)) == []


def test_a_database_elsewhere_is_named_by_the_environment(tmp_path, study, monkeypatch, capsys):
    run = run_of(tmp_path, study.ask(), is_local=False)
    monkeypatch.delenv(STORAGE, raising=False)
    assert pruning_callbacks(run) == []
    assert f"{STORAGE} names no database" in capsys.readouterr().err
    monkeypatch.setenv(STORAGE, f"sqlite:///{tmp_path}/digits/s/study.db")
    train(run, 0.1)
    assert study.trials[0].intermediate_values == {1: 0.1}


def test_without_a_search_neither_optuna_nor_sqlalchemy_is_imported():
    code = (
        "import sys; from unittest.mock import MagicMock; "
        "from reprise.cli import resume, sweep, train; "
        "from reprise.sweeps.job import pruning_callbacks; from pathlib import Path; "
        "pruning_callbacks(MagicMock(folder=Path('none'))); "
        "print({'optuna', 'sqlalchemy', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
