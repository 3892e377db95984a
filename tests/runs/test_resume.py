"""A run that is killed or stopped, and taken up again, through the command line."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tiny import ROOT, array_words, reprise, write_arrays

from reprise.cli import resume
from reprise.errors import UserError

EPOCHS, STEPS = 4, 12


def words(out: Path) -> list[str]:
    """Overrides for a run on the folder's arrays, recorded in `out`."""
    length = [f"trainer.epochs={EPOCHS}", f"trainer.steps_per_epoch={STEPS}"]
    return [*array_words(out.parent / "digits.npz", out), *length, "trainer.log_every_steps=1"]


def begin(verb: str, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "reprise", verb, *more]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_state(out: Path, step: int, process: subprocess.Popen) -> None:
    while not list(out.glob(f"runs/digits/*/state/step-{step:08d}")):
        assert process.poll() is None, process.communicate()[1][-2000:]
        time.sleep(0.005)


def recorded(out: Path):
    """The only run in `out`'s MLflow: its status, its weights' hash, its metrics by step."""
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    (run,) = client.search_runs([experiment.experiment_id])
    history = {
        key: [
            (point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)
        ]
        for key in run.data.metrics
        if not key.startswith(("time/", "system/"))
    }
    return run.info.status, run.data.tags.get("weights_sha256"), history


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    write_arrays(folder / "digits.npz")
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    """The record of a run that nothing disturbed."""
    (folder / "whole").mkdir()
    done = reprise("train", *words(folder / "whole"))
    assert done.returncode == 0, done.stderr[-2000:]
    status, weights, history = recorded(folder / "whole")
    assert status == "FINISHED"
    assert [step for step, _ in history["train/loss"]] == list(range(1, EPOCHS + 1))
    return weights, history


def test_killed_and_stopped_it_ends_as_if_nothing_had_been(folder, whole):
    out = folder / "killed"
    out.mkdir()
    process = begin("train", *words(out))
    wait_for_state(out, STEPS, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (
        "stopped, 1 of 4 epochs done; to go on: make resume run="
        in reprise("runs", f"runs={out}/runs").stdout
    )

    process = begin("resume", "run=last", f"runs={out}/runs", "loader.workers=2")
    wait_for_state(out, 2 * STEPS, process)
    process.send_signal(signal.SIGTERM)
    (run,) = (out / "runs/digits").iterdir()
    again = f'make resume run={run.name} args="runs={out}/runs"'
    assert f"stopped; to go on: {again}\n" in process.communicate()[1]  # TensorFlow may say more
    assert process.returncode == 75
    assert reprise("sync", f"runs={out}/runs").returncode == 0
    assert recorded(out)[0] == "KILLED"

    done = reprise("resume", "run=last", f"runs={out}/runs")
    assert done.returncode == 0, done.stderr[-2000:]
    status, weights, history = recorded(out)
    assert status == "FINISHED"
    assert (weights, history) == whole


def test_a_finished_run_says_so_and_can_be_extended(folder, whole):
    runs = f"runs={folder}/whole/runs"
    done = reprise("resume", "run=last", runs)
    assert done.returncode == 2
    assert "is finished" in done.stderr
    assert f'args="trainer.epochs=8 {runs}"' in done.stderr
    done = reprise("resume", "run=last", runs, "trainer.epochs=5")
    assert done.returncode == 0, done.stderr[-2000:]
    assert [step for step, _ in recorded(folder / "whole")[2]["train/loss"]] == [1, 2, 3, 4, 5]


def test_what_would_change_the_run_is_refused_with_the_difference(folder, whole):
    runs = f"runs={folder}/whole/runs"
    with pytest.raises(UserError, match="force=true") as error:
        resume.main(["run=last", runs, "optimizer.learning_rate=0.5", "trainer.epochs=9"])
    assert "optimizer.learning_rate: 0.001 -> 0.5" in str(error.value)
    assert "trainer.epochs" not in str(error.value)
    (run,) = (folder / "whole/runs/digits").iterdir()
    identity = (run / "run.json").read_text()
    other = json.loads(identity) | {"data_digest": "0" * 32}
    (run / "run.json").write_text(json.dumps(other))
    with pytest.raises(UserError, match="the data is not what the run was trained on"):
        resume.main(["run=last", runs, "trainer.epochs=9"])
    (run / "run.json").write_text(identity)


@pytest.mark.slow
def test_a_run_that_is_under_way_is_left_alone(folder):
    out = folder / "busy"
    out.mkdir()
    process = begin("train", *words(out), "trainer.epochs=500")
    wait_for_state(out, 0, process)
    done = reprise("resume", "run=last", f"runs={out}/runs")
    assert done.returncode == 2
    assert f"process {process.pid} has it" in done.stderr
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert recorded(out)[0] == "KILLED"


@pytest.mark.slow
def test_a_disk_that_is_full_costs_no_state_and_the_run_goes_on_when_there_is_room(folder, whole):
    """A limit on the size of files stands for it: small ones fit, states and models do not."""
    out = folder / "full"
    out.mkdir()
    process = begin("train", *words(out))
    wait_for_state(out, 2 * STEPS, process)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 75
    before = reprise("runs", f"runs={out}/runs").stdout
    assert " of 4 epochs done" in before
    verb = [sys.executable, "-m", "reprise", "resume", "run=last", f"runs={out}/runs"]
    limit = 40_000  # bytes
    done = subprocess.run(
        verb, cwd=ROOT, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr[-2000:]
    assert "the training state could not be written" in done.stderr
    assert "the checkpoint could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    after = reprise("runs", f"runs={out}/runs").stdout
    assert after == before.replace("stopped", "failed")
    done = subprocess.run(verb, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert recorded(out)[0] == "FINISHED"
    assert recorded(out)[1:] == whole
