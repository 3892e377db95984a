import hashlib

import pytest
from run_folders import write_run

from reprise.runs.folder import TRACEBACK, held
from reprise.runs.job import PRUNED
from reprise.runs.run_summary import read_summary

RUN = "20261121-120000-aaaa"


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


def test_every_state_is_told(tmp_path):
    folder = write_run(tmp_path, RUN)
    assert read_summary(folder).status == "stopped 3/8"
    with held(folder):
        assert read_summary(folder).status == "running 3/8"
    (folder / TRACEBACK).write_text("…")
    assert read_summary(folder).status == "failed 3/8"
    (folder / PRUNED).write_text("pruned after epoch 3\n")
    assert read_summary(folder).status == "pruned after epoch 3"


def test_what_a_resumed_run_has_changed_counts(tmp_path):
    folder = write_run(tmp_path, RUN, settings={"learning_rate": 0.5, "clipnorm": None})
    params = read_summary(folder).params
    assert params["optimizer.learning_rate"] == "0.5"  # the journal has the first one
    assert params["optimizer.clipnorm"] == "null"


def test_changes_that_were_not_committed_are_part_of_the_code(tmp_path):
    folder = write_run(tmp_path, RUN)
    (folder / "code").mkdir()
    (folder / "code/changes.patch").write_bytes(b"-a\n+b\n")
    assert read_summary(folder).code == "c" * 40 + "+" + hashlib.sha256(b"-a\n+b\n").hexdigest()
    none = write_run(tmp_path, "20261121-120000-bbbb", commit="none: not a git checkout")
    assert read_summary(none).code == "none"
