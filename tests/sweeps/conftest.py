"""A sweep's folder with jobs in it, and a program in the place of training."""

import sys

import pytest

from reprise.runs.job import Job
from reprise.sweeps.ledger import Ledger

# What a job's command line is handed to, as `launcher.command`: it does what the last word says.
PROGRAM = """
import os, pathlib, signal, sys, time
job, _, what = sys.argv[-3:]
folder = pathlib.Path(job).parents[1]
attempt = len(list(folder.glob(pathlib.Path(job).stem + ".begun*")))
(folder / f"{pathlib.Path(job).stem}.begun{attempt}").write_text(str(os.getpid()))
what = what.partition("=")[2].split("+")
what = what[min(attempt, len(what) - 1)]
if what == "fail":
    sys.exit("no such luck")
if what == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if what == "ended":
    os.kill(os.getpid(), signal.SIGTERM)
if what == "hang":
    time.sleep(60)
if what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
if what.startswith("for"):
    time.sleep(float(what[3:]))
if what == "gpu":
    print("GPU", os.environ.get("CUDA_VISIBLE_DEVICES"))
    time.sleep(1)
(folder / f"{pathlib.Path(job).stem}.done").touch()
"""


@pytest.fixture
def program(tmp_path):
    """Words for `launcher.command`."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return [sys.executable, str(path)]


@pytest.fixture
def ledger(tmp_path):
    """The ledger of a sweep without jobs; `add` gives it one for every thing to do."""
    return Ledger(tmp_path / "20260101-000000-abcd")


@pytest.fixture
def add(ledger):
    def add_jobs(*whats: str) -> list[Job]:
        start = len(ledger.jobs()) + 1
        sweep = ledger.folder.name
        jobs = [
            Job(sweep, n, f"{sweep}-{n:03d}", "k", [f"n={n}", f"do={what}"])
            for n, what in enumerate(whats, start)
        ]
        for job in jobs:
            job.write(ledger.file(job.number, "json"))
        return jobs

    return add_jobs
