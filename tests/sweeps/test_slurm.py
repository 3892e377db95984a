"""Jobs of a sweep as batch jobs of a real SLURM, whatever happens to them and to the sweep."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweeps import cluster as clusters

from reprise.errors import UserError
from reprise.sweeps.ledger import Ledger
from reprise.sweeps.slurm import Slurm

SEEDS = 12
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with clusters.Slurm(tmp_path_factory.mktemp("slurm")) as slurm:
        yield slurm


def start(cluster, out: Path, *words: str, epochs: int = 150) -> subprocess.Popen:
    seeds = ",".join(map(str, range(SEEDS)))
    command = [sys.executable, "-m", "reprise", "sweep", "experiment=iris", f"seed={seeds}"]
    command += [f"trainer.epochs={epochs}", f"tracking.runs={out}/runs", *words]
    command += [f"tracking.uri=sqlite:///{out}/mlflow.db"]
    log = (out / "sweep.log").open("ab")
    command = cluster.words(*command) if cluster else command
    env = cluster.environment if cluster else os.environ
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)


def results(out: Path) -> dict[str, dict[str, float]]:
    """The result of every job, by its seed."""
    (sweep,) = (path.parent for path in out.glob("runs/iris/*/sweep.json"))
    ledger = Ledger(sweep)
    assert {ledger.standing(job.number).state for job in ledger.jobs()} == {"done"}
    return {job.overrides[0]: ledger.result(job) for job in ledger.jobs()}


def until(is_so, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.3)


def is_trained(out: Path, name: str) -> bool:
    """Whether the job of this attempt has kept a state."""
    return bool(list(out.glob(f"runs/iris/{name.rpartition('-')[0]}/state/step-*")))


@pytest.mark.slow
def test_twelve_jobs_end_as_undisturbed(cluster, tmp_path):
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "slurm"
    for folder in (undisturbed, out):
        folder.mkdir()
    slurm = ["launcher=slurm", "launcher.warning_s=20"]
    sweep = start(cluster, out, *slurm)
    until(lambda: len([name for name in cluster.running() if is_trained(out, name)]) >= 3)
    sweep.kill()  # the first time
    first, second, *_ = [name for name in cluster.running() if is_trained(out, name)]
    cluster.call("scancel", f"--name={first}")
    cluster.call("scontrol", "update", f"jobid={cluster.running()[second]}", "timelimit=1")
    until(lambda: first not in cluster.running())
    sweep = start(cluster, out, *slurm)
    until(lambda: second not in cluster.running())
    until(lambda: any(is_trained(out, name) for name in cluster.running("n2")))
    lost = cluster.running("n2")
    cluster.kill_node("n2")
    sweep.kill()  # the second time
    sweep = start(cluster, out, *slurm)
    until(lambda: not lost.keys() & cluster.running("n2").keys())
    cluster.start_node("n2")
    assert sweep.wait() == 0, (out / "sweep.log").read_text()
    said = (out / "sweep.log").read_text()
    assert "queued again" in said
    assert said.count(" stopped") >= 2  # the cancelled one, and the one over its time limit
    assert start(None, undisturbed, "launcher=local", "launcher.n_jobs=2").wait() == 0
    expected = results(undisturbed)
    assert len(expected) == SEEDS
    assert results(out) == expected


@pytest.mark.slow
def test_a_stopped_sweep_stops_its_jobs_and_goes_on(cluster, tmp_path):
    sweep = start(cluster, tmp_path, "launcher=slurm")
    until(lambda: any(is_trained(tmp_path, name) for name in cluster.running()))
    sweep.send_signal(signal.SIGTERM)
    assert sweep.wait() == 75
    assert cluster.call("squeue", "-h") == ""
    (ledger_file,) = tmp_path.glob("runs/iris/*/ledger.jsonl")
    states = [json.loads(line)["state"] for line in ledger_file.read_text().splitlines()]
    assert states.count("stopped") == states.count("begun") > 4


@pytest.mark.slow
@pytest.mark.parametrize("word", ["launcher.partition=gpus", "sweep.timeout_s=5"])
def test_what_cannot_be_had_is_refused_before_there_is_a_sweep(cluster, tmp_path, word):
    assert start(cluster, tmp_path, "launcher=slurm", word).wait() == 2
    key = word.partition("=")[0].partition(".")[2]
    assert key in (tmp_path / "sweep.log").read_text()
    assert not list(tmp_path.glob("runs/iris/*"))


def test_without_slurm_the_launcher_is_refused(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no sbatch"):
        Slurm().check(None)
