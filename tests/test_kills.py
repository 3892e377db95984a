"""Twenty SIGKILLs at random moments, and the run ends as one that nothing disturbed."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tiny import ROOT, reprise

KILLS = 20
# Short epochs, so that twenty kills do not fall into the first one; the real sample data.
WORDS = {
    "digits": [],
    "denoise": [],
    "audio": [],
    "segmentation": ["dataset.image_size=[32,32]", "model.backbone=mobilenetv2"],
}

EPOCHS = {"segmentation": 40}  # its states are large; of the others, 100


def words(name: str, out: Path) -> list[str]:
    return [
        f"experiment={name}", *WORDS[name],
        f"tracking.uri=sqlite:///{out}/mlflow.db", f"tracking.runs={out}/runs",
        f"trainer.epochs={EPOCHS.get(name, 100)}", "trainer.steps_per_epoch=10",
        "trainer.pictures_every=10", "trainer.num_pictures=2",
    ]  # fmt: skip


def record(out: Path, name: str) -> tuple[str, str | None, dict[str, list[tuple[int, float]]]]:
    """The only run there: its status, its weights' hash, and its metrics by step."""
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    history = {
        key: [(at.step, at.value) for at in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
        if not key.startswith(("time/", "system/"))
    }
    return run.info.status, run.data.tags.get("weights_sha256"), history


def attempt(verb: list[str], states: Path, rng: random.Random) -> bool:
    """Begin, and kill it some time after its first epoch's end; False where it ended first."""
    command = [sys.executable, "-m", "reprise", *verb]
    before = time.time_ns()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    while process.poll() is None and not _is_at_work(states, before):
        time.sleep(0.02)
    try:
        process.wait(rng.uniform(0, 1.5))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its workers too, as a scheduler does
        process.wait()
        return True
    assert process.returncode == 0, process.stderr.read().decode()[-2000:]
    return False


def _is_at_work(runs: Path, since_ns: int) -> bool:
    """Whether the process that began then has ended an epoch, or the whole run."""
    written = [*runs.glob("*/*/state/step-*/state.json"), *runs.glob("*/*/result.json")]
    for path in written:
        with contextlib.suppress(FileNotFoundError):  # it has just made room for a newer one
            if path.stat().st_mtime_ns > since_ns:
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(WORDS))
def test_twenty_kills_change_nothing(name, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for out in (whole, killed):
        out.mkdir()
    done = reprise("train", *words(name, whole))
    assert done.returncode == 0, done.stderr[-2000:]

    rng, kills = random.Random(name), 0
    verb = ["train", *words(name, killed)]
    while kills < KILLS and attempt(verb, killed / "runs", rng):
        kills += 1
        workers = f"loader.workers={rng.randrange(3)}"
        verb = ["resume", "run=last", f"runs={killed}/runs", workers]
    print(f"{name}: {kills} kills")
    if not any((killed / "runs").glob("*/*/result.json")):
        done = reprise(*verb)
        assert done.returncode == 0, done.stderr[-2000:]
    assert kills == KILLS
    assert record(killed, name) == record(whole, name)
