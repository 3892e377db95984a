"""What `make runs` says of runs in every state, and of one that is resumed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from reprise.errors import UserError
from reprise.runs.folder import CONFIG, RESULT, STATE, TRACEBACK, describe, held
from reprise.runs.resume import Resumed, _refuse_finished
from reprise.training.state import State, write_state


@pytest.fixture
def run(tmp_path):
    """A run of which three of eight epochs are done."""
    trainer = {"epochs": 8, "monitor": "valid/iou"}
    (tmp_path / CONFIG).write_text(yaml.safe_dump({"trainer": trainer}))
    facts = {"epoch": 3, "is_over": False}
    write_state(tmp_path / STATE, State(12, {"model.0000": np.ones(2)}, facts))
    return tmp_path


def test_every_state_of_a_run_is_told(run):
    again = f"to go on: make resume run={run.name}"
    assert describe(run) == f"stopped, 3 of 8 epochs done; {again}"
    with held(run):
        assert describe(run) == "running, 3 of 8 epochs done"
    (run / TRACEBACK).write_text("…")
    assert describe(run) == f"failed, 3 of 8 epochs done; {again}"
    (run / "pruned.txt").write_text("pruned after epoch 3\n")
    assert describe(run) == "pruned after epoch 3"
    (run / RESULT).write_text(json.dumps({"test/iou": 0.5}))
    assert describe(run) == "finished, test/iou 0.5000"


def test_a_run_that_is_held_is_refused_to_another(run):
    refused = pytest.raises(UserError, match=r"(?s)trained right now.*process \d+ has it")
    with held(run), refused, held(run):
        pass


def test_how_a_resumed_run_ended_before_counts_no_more(run):
    for ended in (RESULT, TRACEBACK):
        (run / ended).write_text("{}")
    noted = SimpleNamespace(tags=lambda tags: None, text=lambda name, text: None)
    state = State(12, {}, {"epoch": 3})
    Resumed(run, state, {"trainer": {}}, ("trainer.epochs: 3 -> 8",)).record(noted)
    assert describe(run).startswith("stopped, 3 of 8")


@pytest.mark.parametrize(
    ("epoch", "is_over", "remedy"),
    [(8, False, 'args="trainer.epochs=16"'), (3, True, "longer trainer.early_stopping_patience")],
)
def test_a_finished_run_says_what_can_be_done(run, epoch, is_over, remedy):
    (run / RESULT).write_text("{}")
    state = State(12, {}, {"epoch": epoch, "is_over": is_over})
    composed = SimpleNamespace(values={"trainer": {"epochs": 8}})
    with pytest.raises(UserError, match=rf"(?s)is finished.*done {epoch} epochs.*{remedy}"):
        _refuse_finished(SimpleNamespace(folder=run), composed, state)
    going = State(12, {}, {"epoch": 3, "is_over": False})
    _refuse_finished(SimpleNamespace(folder=run), composed, going)
