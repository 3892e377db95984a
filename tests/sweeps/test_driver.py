"""The loop of a sweep, with real processes that do as they are told in the place of training."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sweeps.plans import make_plan

from reprise.errors import Stopped
from reprise.runs.job import Job
from reprise.sweeps import driver as drivers
from reprise.sweeps.driver import Driver
from reprise.sweeps.launcher import Local
from reprise.sweeps.ledger import Ledger


def driver(ledger, program, *, n_jobs=1, **settings):
    def judge(job, code, late):
        if (ledger.folder / f"{job.number:03d}.done").exists():
            return "done", ""
        if late:
            return "failed", late
        return ("stopped", "") if code is None or code == -signal.SIGTERM else ("failed", f"{code}")

    launcher = Local(n_jobs=n_jobs, command=program)
    return Driver(ledger, make_plan(launcher=launcher, **settings), judge)


def states(ledger) -> list[str]:
    return [ledger.standing(job.number).state for job in ledger.jobs()]


def attempts_of(ledger, number: int) -> int:
    return len(list(ledger.folder.glob(f"{number:03d}.begun*")))


@pytest.mark.parametrize(
    ("whats", "settings", "ends", "attempts"),
    [
        (["fail", "killed", "done"], {}, ["failed", "failed", "done"], [1, 1, 1]),
        (["fail+fail+done", "fail+fail+fail+done"], {"retries": 2}, ["done", "failed"], [3, 3]),
        (["fail"] * 3, {"max_failures": 1}, ["failed", "failed", "waiting"], [1, 1, 0]),
        (["fail"] * 3, {"max_failures": 2}, ["failed"] * 3, [1, 1, 1]),
    ],
)
def test_a_failure_stays_its_own_and_is_tried_again_as_asked(
    ledger, add, program, whats, settings, ends, attempts
):
    add(*whats)
    driver(ledger, program, **settings).run()
    assert states(ledger) == ends
    assert [attempts_of(ledger, n) for n, _ in enumerate(whats, 1)] == attempts


def test_every_job_runs_once_and_a_second_time_none_does(ledger, add, program, capsys):
    add("done", "fail")
    driver(ledger, program).run()
    assert states(ledger) == ["done", "failed"]
    said = ["job 01 n=1 do=done", "job 01 done", "job 02 n=2 do=fail", "job 02 failed: 1"]
    assert capsys.readouterr().out.splitlines() == said
    assert "no such luck" in ledger.file(2, "log").read_text()
    driver(Ledger(ledger.folder), program).run()
    assert [attempts_of(ledger, n) for n in (1, 2)] == [1, 1]


def test_a_job_that_others_end_goes_on_as_long_as_that_leads_anywhere(ledger, add, program):
    one, _ = add("ended", "ended+ended+done")
    driver(ledger, program).run()
    assert states(ledger) == ["failed", "done"]
    assert attempts_of(ledger, one.number) == 3
    assert ledger.standing(1).why == "3 attempts in a row ended at step 0"


def test_a_job_that_hangs_is_ended(ledger, add, program, monkeypatch):
    monkeypatch.setattr(drivers, "GRACE_S", 0.5)
    add("hang", "stubborn", "done")
    driver(ledger, program, n_jobs=3, timeout_s=1.5).run()
    assert states(ledger) == ["failed", "failed", "done"]
    assert ledger.standing(2).why == "no end within 1.5 s"
    assert ledger.standing(2).seconds < 20


def test_several_run_at_once_each_with_a_gpu_of_its_own(ledger, add, program, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    add("gpu", "gpu")
    driver(ledger, program, n_jobs=2).run()
    assert [ledger.file(n, "log").read_text() for n in (1, 2)] == ["GPU 4\n", "GPU 7\n"]
    began = [path.stat().st_mtime for path in ledger.folder.glob("*.begun0")]
    ended = [path.stat().st_mtime for path in ledger.folder.glob("*.done")]
    assert len(ended) == 2
    assert max(began) < min(ended)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_when_asked_to_stop_it_stops_its_jobs_and_can_go_on(ledger, add, program, number):
    add("hang+done", "done")

    def ask():
        while not list(ledger.folder.glob("001.begun0")):
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Stopped) as stopped:
        driver(ledger, program).run()
    asking.join()
    assert stopped.value.signal == number
    assert states(ledger) == ["stopped", "waiting"]
    driver(ledger, program).run()
    assert states(ledger) == ["done", "done"]
    assert [attempts_of(ledger, n) for n in (1, 2)] == [2, 1]


ELSEWHERE = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from sweeps.test_driver import driver
from reprise.sweeps.ledger import Ledger
driver(Ledger(Path({folder!r})), {program!r}).run()
"""


def begun_elsewhere(ledger, program) -> subprocess.Popen:
    """Another process that runs the sweep and has begun its first job."""
    path = [str(Path(__file__).parents[1])]
    code = ELSEWHERE.format(path=path, folder=str(ledger.folder), program=program)
    other = subprocess.Popen([sys.executable, "-c", code])
    while ledger.standing(1).state != "begun" or attempts_of(ledger, 1) == 0:
        time.sleep(0.02)
    return other


@pytest.mark.parametrize(
    ("whats", "timeout_s", "attempts"),
    [(["for1.5", "done"], None, [1, 1]), (["stubborn+done", "done"], 1.0, [2, 1])],
)
def test_the_jobs_of_a_killed_sweep_are_waited_for_unless_they_hang(
    ledger, add, program, monkeypatch, whats, timeout_s, attempts
):
    monkeypatch.setattr(drivers, "GRACE_S", 0.2)
    add(*whats)
    other = begun_elsewhere(ledger, program)
    other.kill()
    other.wait()
    driver(ledger, program, timeout_s=timeout_s).run()
    assert states(ledger) == ["done", "done"]
    assert [attempts_of(ledger, n) for n in (1, 2)] == attempts


def test_two_processes_share_the_jobs(ledger, add, program):
    add(*["for0.3"] * 4)
    other = begun_elsewhere(ledger, program)
    driver(ledger, program).run()
    assert other.wait() == 0
    assert states(ledger) == ["done"] * 4
    assert [attempts_of(ledger, n) for n in range(1, 5)] == [1] * 4


def test_a_job_of_the_same_values_takes_over_the_outcome(ledger, add, program, capsys):
    add("done", "fail", "done")
    first, *_, last = ledger.jobs()
    again = Job(last.sweep, 4, f"{last.sweep}-004", "k", first.overrides)
    again.write(ledger.file(4, "json"))
    driver(Ledger(ledger.folder), program, n_jobs=2).run()
    assert states(ledger) == ["done", "failed", "done", "done"]
    assert attempts_of(ledger, 4) == 0
    assert "job 04 done: as job 1" in capsys.readouterr().out
