"""What `make runs` and `make compare` read of a run's folder, in every state it can be in."""

import hashlib
import json
from types import SimpleNamespace

import pytest
from run_folders import write_run

from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.compare import read_summary
from reprise.runs.experiment import refuse_problems, require_metric
from reprise.runs.folder import PRUNED, RESULT, TRACEBACK, describe, held
from reprise.runs.load import load_best
from reprise.runs.resume import Resumed, _refuse_finished
from reprise.training.state import State

RUN = "20261121-120000-aaaa"


@pytest.fixture
def run(tmp_path):
    """The folder of a run of which three of eight epochs are done."""
    return write_run(tmp_path, RUN)


def test_every_state_of_a_run_is_told(run):
    again = f'to go on: make resume run={RUN} args="runs={run.parents[1]}"'

    def told():
        return describe(run), read_summary(run).status

    assert told() == (f"stopped, 3 of 8 epochs done; {again}", "stopped 3/8")
    with held(run):
        assert told() == ("running, 3 of 8 epochs done", "running 3/8")
    (run / TRACEBACK).write_text("…")
    assert told() == (f"failed, 3 of 8 epochs done; {again}", "failed 3/8")
    (run / PRUNED).write_text("pruned after epoch 3\n")
    assert told() == ("pruned after epoch 3",) * 2
    (run / RESULT).write_text(json.dumps({"test/iou": 0.5}))
    assert told() == ("finished, test/iou 0.5000", "finished")


def test_a_finished_run_is_what_its_result_says(tmp_path):
    result = {"valid/iou": 0.25, "test/iou": 0.125}
    run = read_summary(write_run(tmp_path, RUN, result=result))
    assert (run.id, run.status, run.metrics) == (RUN, "finished", result)
    assert run.choices == {"experiment": "digits", "model": "unet", "optimizer": "adam"}
    assert run.params == {
        "optimizer.learning_rate": "0.001",
        "trainer.epochs": "8",
        "trainer.monitor": "valid/iou",
        "trainer.monitor_mode": "max",
        "model.num_parameters": "99",
    }
    assert run.history["valid/loss"] == {1: 1.0, 2: 0.5, 3: 1 / 3}
    assert (run.data, run.code) == ("d" * 32, "c" * 40)
    assert (run.monitor, run.mode) == ("valid/iou", "max")


def test_a_run_without_result_is_what_its_best_epoch_said(tmp_path):
    run = read_summary(write_run(tmp_path, RUN, epochs=4))
    assert run.metrics == {"valid/iou": pytest.approx(0.3), "valid/loss": 1 / 3}
    assert read_summary(write_run(tmp_path, "20261121-120000-bbbb", epochs=0)).metrics == {}


def test_what_a_resumed_run_has_changed_counts(tmp_path):
    folder = write_run(tmp_path, RUN, settings={"learning_rate": 0.5, "clipnorm": None})
    params = read_summary(folder).params
    assert params["optimizer.learning_rate"] == "0.5"  # the journal has the first one
    assert params["optimizer.clipnorm"] == "null"


def test_changes_that_were_not_committed_are_part_of_the_code(run, tmp_path):
    (run / "code").mkdir()
    (run / "code/changes.patch").write_bytes(b"-a\n+b\n")
    assert read_summary(run).code == "c" * 40 + "+" + hashlib.sha256(b"-a\n+b\n").hexdigest()
    none = write_run(tmp_path, "20261121-120000-bbbb", commit="none: not a git checkout")
    assert read_summary(none).code == "none"


def test_a_run_that_is_held_is_refused_to_another(run):
    refused = pytest.raises(UserError, match=r"(?s)trained right now.*process \d+ has it")
    with held(run), refused, held(run):
        pass


def test_how_a_resumed_run_ended_before_counts_no_more(run, monkeypatch):
    monkeypatch.setattr("reprise.runs.resume.record_changes", lambda *of_code: None)
    for ended in (RESULT, TRACEBACK):
        (run / ended).write_text("{}")
    noted = SimpleNamespace(tags=lambda tags: None, text=lambda name, text: None)
    state = State(12, {}, {"epoch": 3})
    Resumed(run, state, {"trainer": {}}, ("trainer.epochs: 3 -> 8",)).record(noted, None, run)
    assert describe(run).startswith("stopped, 3 of 8")


@pytest.mark.parametrize(
    ("epoch", "is_over", "remedy"),
    [
        (8, False, 'args="trainer.epochs=16"'),
        (3, True, "longer trainer.early_stopping_patience"),
    ],
)
def test_a_finished_run_says_what_can_be_done(run, epoch, is_over, remedy):
    (run / RESULT).write_text("{}")
    state = State(12, {}, {"epoch": epoch, "is_over": is_over})
    composed = SimpleNamespace(values={"trainer": {"epochs": 8}})
    with pytest.raises(UserError, match=rf"(?s)is finished.*done {epoch} epochs.*{remedy}"):
        _refuse_finished(SimpleNamespace(folder=run, runs=ROOT / "runs"), composed, state)
    going = State(12, {}, {"epoch": 3, "is_over": False})
    _refuse_finished(SimpleNamespace(folder=run, runs=ROOT / "runs"), composed, going)


def test_a_run_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match=r"(?s)best\.keras is missing.*has not finished an epoch"):
        load_best(tmp_path)


def test_problems_of_the_data_are_listed_and_the_rest_counted():
    with pytest.raises(UserError, match=r"(?s)12 problem\(s\).*p0\n.*p7\n +… and 4 more"):
        refuse_problems([f"p{i}" for i in range(12)])


def test_a_monitored_metric_is_one_that_is_measured():
    require_metric("valid/iou", ["loss", "iou"])
    with pytest.raises(UserError, match=r"(?s)valid/iuo is not measured.*valid/loss, valid/iou"):
        require_metric("valid/iuo", ["loss", "iou"])
