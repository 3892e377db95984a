"""How an attempt at a job has ended, from what it has left behind."""

import json
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from reprise.runs.job import Job
from reprise.sweeps.ledger import Ledger
from reprise.sweeps.record import judge
from reprise.tracking.run import open_run

JOB = Job("s", 1, "s-001", "k", ["seed=1"])


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """One store for all: its making takes longer than the tests."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def plan(uri):
    tracking = {"_target_": "reprise.tracking.settings.Tracking", "uri": uri}
    first = SimpleNamespace(values={"tracking": tracking})
    return SimpleNamespace(metric="valid/iou", first=first)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "digits/s")
    JOB.write(ledger.file(1, "json"))
    ledger.file(1, "log").touch()
    return ledger


@pytest.fixture
def left(ledger):
    """The folder of the job's run, in which a killed process has left its journal and no more."""
    from reprise.tracking.journal import Journal

    folder = ledger.folder.with_name(JOB.run)
    folder.mkdir()
    journal = Journal(folder, print)
    journal.add("start", experiment="digits", name="01", uri="x")
    journal.add("status", status="RUNNING")
    return folder


def status(uri):
    (run,) = MlflowClient(uri).search_runs(["1"])
    return run.info.status


def test_before_there_is_a_run_the_log_says_why(ledger, plan):
    ledger.file(1, "log").write_text("some\n\nerror: no such key\n  expected  other\n  to do x\n")
    assert judge(JOB, 2, "", ledger, plan) == ("failed", "no such key")
    ledger.file(1, "log").write_text("Traceback …\n  File …\nValueError: odd\n")
    assert judge(JOB, 1, "", ledger, plan) == ("failed", "ValueError: odd")
    ledger.file(1, "log").write_text("")
    assert judge(JOB, 4, "", ledger, plan) == ("failed", "exit code 4")


@pytest.mark.parametrize("code", [None, 75, 130])
def test_what_was_stopped_can_go_on(ledger, plan, left, code):
    assert judge(JOB, code, "", ledger, plan) == ("stopped", "")


def test_what_was_killed_is_recorded_as_failed(ledger, plan, left, uri):
    why = "killed by SIGKILL, as the kernel does when memory runs out"
    assert judge(JOB, -9, "", ledger, plan) == ("failed", why)
    assert (left / "traceback.txt").read_text().rstrip().endswith(why)
    assert status(uri) == "FAILED"


def test_what_took_too_long_is_failed_though_it_kept_its_state(ledger, plan, left, uri):
    assert judge(JOB, 75, "no end within 9 s", ledger, plan) == ("failed", "no end within 9 s")
    assert status(uri) == "FAILED"


def test_a_traceback_says_why_by_its_last_line(ledger, plan, left):
    (left / "traceback.txt").write_text("Traceback\n  File\nRuntimeError: no such luck\n")
    assert judge(JOB, 1, "", ledger, plan) == ("failed", "RuntimeError: no such luck")


def test_a_pruned_job_is_no_failure(ledger, plan, left):
    (left / "pruned.txt").write_text("pruned after epoch 2\n")
    assert judge(JOB, 0, "", ledger, plan) == ("pruned", "")


def test_killed_with_its_result_written_it_is_done_and_closed(ledger, plan, left, uri):
    (left / "result.json").write_text(json.dumps({"valid/iou": 0.5}))
    assert judge(JOB, None, "", ledger, plan) == ("done", "valid/iou 0.5000")
    assert status(uri) == "FINISHED"
    written = (left / "journal.jsonl").read_text()
    assert judge(JOB, 0, "", ledger, plan) == ("done", "valid/iou 0.5000")
    assert (left / "journal.jsonl").read_text() == written


def test_a_result_without_the_metric_is_a_failure(ledger, plan, uri):
    folder = ledger.folder.with_name(JOB.run)
    with open_run(folder, "digits", "01", uri=uri, redact=str):
        (folder / "result.json").write_text(json.dumps({"valid/f1": 0.5}))
    assert judge(JOB, 0, "", ledger, plan) == ("failed", "its result has no valid/iou")
