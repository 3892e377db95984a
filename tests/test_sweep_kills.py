"""Sweeps that are killed, and jobs that go wrong in every way, through the command line."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from tiny import ROOT, array_words, write_arrays

GRID = ["optimizer.learning_rate=1e-2,1e-3,1e-4", "seed=0,1,2,3"]
TWO = ["launcher.n_jobs=2"]


def words(out: Path, *more: str) -> list[str]:
    data = out.parent / "digits.npz"
    if not data.exists():
        write_arrays(data)
    out.mkdir(exist_ok=True)
    return [*array_words(data, out), *more]


def begin(*typed: str, verb: str = "sweep", **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "reprise", verb, *typed]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*typed: str, code: int = 0, **more: str) -> str:
    process = begin(*typed, **more)
    said = process.communicate(timeout=1800)[0]
    assert process.returncode == code, said[-3000:]
    return said


def entries(out: Path) -> list[dict]:
    files = list(out.glob("runs/*/*/ledger.jsonl"))
    assert len(files) <= 1
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def children(out: Path) -> dict[str, tuple]:
    """Of each child run, by its overrides: status, weights, and metrics by step."""
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "digits"]
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    found = {}
    for run in runs:
        if run is parent:
            continue
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        name = run.info.run_name.partition(" ")[2]
        history = {
            key: [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
            if not key.startswith(("time/", "system/"))
        }
        assert name not in found
        found[name] = (run.info.status, run.data.tags.get("weights_sha256"), history)
    return found


def wait_until(process: subprocess.Popen, happened, timeout: float = 300) -> None:
    end = time.monotonic() + timeout
    while not happened():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < end
        time.sleep(0.05)


def kill(process: subprocess.Popen, out: Path, *, jobs: bool) -> None:
    """End the sweep as the kernel would, and its jobs too where the whole machine goes down."""
    process.kill()
    process.communicate()
    begun = {e["job"]: e["group"] for e in entries(out) if e["state"] == "begun"}
    over = {e["job"] for e in entries(out) if e["state"] != "begun"}
    for group in (group for job, group in begun.items() if jobs and job not in over):
        os.killpg(group, signal.SIGKILL)


@pytest.mark.slow
def test_twelve_jobs_killed_three_times_end_as_if_nothing_had_been(tmp_path):
    typed = [*GRID, *TWO, "trainer.epochs=3", "trainer.steps_per_epoch=6"]
    finish(*words(tmp_path / "whole", *typed))
    whole = children(tmp_path / "whole")
    assert len(whole) == 12

    out, rng = tmp_path / "killed", random.Random(6)
    for turn in range(3):
        process = begin(*words(out, *typed))
        ended = len([e for e in entries(out) if e["state"] == "done"])
        wait_until(
            process, lambda e=ended: len([1 for x in entries(out) if x["state"] == "done"]) > e
        )
        time.sleep(rng.uniform(0, 8))
        kill(process, out, jobs=turn != 1)
    said = finish(*words(out, *typed))
    assert "12 done" in said
    ledger = entries(out)
    assert sorted(e["job"] for e in ledger if e["state"] == "done") == list(range(1, 13))
    assert children(out) == whole
    assert {status for status, *_ in whole.values()} == {"FINISHED"}
    assert all([s for s, _ in h["train/loss"]] == [1, 2, 3] for *_, h in whole.values())


@pytest.mark.slow
def test_one_that_raises_one_out_of_memory_and_one_that_hangs_leave_nine_good_ones(tmp_path):
    path = {"PYTHONPATH": str(Path(__file__).parent)}
    trouble = "trainer.callbacks=[{_target_:sweep_troubles.Trouble,seed:${seed}}]"
    seeds = "seed=" + ",".join(map(str, range(12)))
    typed = words(tmp_path / "out", seeds, trouble, *TWO, "sweep.timeout_s=150")
    said = finish(*typed, code=3, **path)
    assert "is over: 9 done, 3 failed" in said
    assert "job 4 failed: RuntimeError: no such luck" in said
    assert "job 6 failed: killed by SIGKILL, as the kernel does when memory runs out" in said
    assert "job 8 failed: no end within 150 s" in said
    (log,) = (tmp_path / "out").glob("runs/*/*/jobs/004.log")
    assert "Traceback" in log.read_text()
    runs = {name: status for name, (status, *_) in children(tmp_path / "out").items()}
    assert {name for name, status in runs.items() if status == "FAILED"} == {
        "seed=3", "seed=5", "seed=7",
    }  # fmt: skip
    assert list(runs.values()).count("FINISHED") == 9
    tracebacks = {p.parent.name[-3:] for p in (tmp_path / "out").glob("runs/*/*/traceback.txt")}
    assert tracebacks == {"004", "006", "008"}

    again = ["sweep=last", f"runs={tmp_path}/out/runs", "sweep.retry_failed=true"]
    said = finish(*again, verb="resume", TROUBLE="off", **path)
    assert "is over: 12 done" in said
    assert {status for status, *_ in children(tmp_path / "out").values()} == {"FINISHED"}
    assert len([e for e in entries(tmp_path / "out") if e["state"] == "begun"]) == 15


@pytest.mark.slow
def test_a_search_killed_and_gone_on_with_by_two_has_its_twenty_trials(tmp_path):
    out = tmp_path / "out"
    typed = words(
        out, "sweep=tpe", "sweep.search.n_trials=20", "sweep.search.n_startup_trials=3",
        "optimizer.learning_rate=tag(log,interval(1e-6,1e-1))", "model.dropout=0.0,0.5",
        "trainer.epochs=4", "trainer.steps_per_epoch=8",
    )  # fmt: skip
    process = begin(*typed)
    wait_until(process, lambda: [e["state"] for e in entries(out)].count("begun") >= 3)
    wait_until(process, lambda: len(list(out.glob("runs/*/*-003/state/step-*"))) > 0)
    kill(process, out, jobs=True)
    process = begin(*typed)
    wait_until(process, lambda: [e["state"] for e in entries(out)].count("begun") >= 4)
    kill(process, out, jobs=False)

    both = [begin(*typed) for _ in range(2)]
    said = [process.communicate(timeout=1800)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert all("\njob " in text for text in said), "both have run some"
    (folder,) = out.glob("runs/digits/*/study.db")
    storage = f"sqlite:///{folder}"
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).get_trials()
    states = [trial.state.name for trial in trials]
    assert len(states) == 20
    assert set(states) == {"COMPLETE", "PRUNED"}
    assert 1 <= states.count("PRUNED") <= 17
    runs = children(out)
    assert len(runs) == 20
    statuses = [status for status, *_ in runs.values()]
    assert statuses.count("FINISHED") == states.count("COMPLETE")
    assert statuses.count("KILLED") == states.count("PRUNED")
    lengths = {
        status: [len(h["train/loss"]) for s, _, h in runs.values() if s == status]
        for status in ("FINISHED", "KILLED")
    }
    assert set(lengths["FINISHED"]) == {4}
    assert all(1 < length < 4 for length in lengths["KILLED"])
