"""How attempts at jobs have ended, by what they have left behind; the table and the picture."""

import json
from dataclasses import replace

import cv2
import pytest
from mlflow import MlflowClient
from sweeps.plans import make_plan
from tiny import new_store

from reprise.runs.job import Job
from reprise.sweeps.ledger import Ledger, Standing
from reprise.sweeps.space import read_space
from reprise.sweeps.summary import Row, counts, draw, judge, ranked, table
from reprise.tracking.journal import Journal
from reprise.tracking.run import open_run

AXES = read_space(["opt.lr=tag(log,interval(1e-4,1e-1))", "model=unet,fpn"])[1]


def row(number, lr, model, state, value=None, why=""):
    job = Job("s", number, f"s-00{number}", "k", [f"opt.lr={lr}", f"model={model}"])
    result = {} if value is None else {"valid/iou": value, "test/iou": value / 2}
    return Row(job, Standing(state, 0, why, 61.2), result)


ROWS = [
    row(1, 0.1, "unet", "failed", why="killed by SIGKILL"),
    row(2, 0.01, "fpn", "done", 0.5),
    row(3, 0.001, "unet", "done", 0.75),
    row(4, 0.002, "unet", "pruned"),
]


def test_the_table_says_what_became_of_every_job_the_best_first():
    by_smallest = ranked(ROWS, "valid/iou", "min")
    assert [row.job.number for row in by_smallest] == [2, 3, 1, 4]
    assert table(ranked(ROWS, "valid/iou", "max"), AXES, "valid/iou").splitlines() == [
        "| job | opt.lr | model | state  | valid/iou | test/iou | seconds | run   |",
        "|-----|--------|-------|--------|-----------|----------|---------|-------|",
        "| 3   | 0.001  | unet  | done   | 0.7500    | 0.3750   | 61      | s-003 |",
        "| 2   | 0.01   | fpn   | done   | 0.5000    | 0.2500   | 61      | s-002 |",
        "| 1   | 0.1    | unet  | failed |           |          | 61      | s-001 |",
        "| 4   | 0.002  | unet  | pruned |           |          | 61      | s-004 |",
        "",
        "job 1 failed: killed by SIGKILL",
    ]
    assert counts(ROWS) == "2 done, 1 failed, 1 pruned"
    assert (counts([]), len(table([], AXES, "valid/iou").splitlines())) == ("no jobs", 2)


def test_a_result_that_is_no_number_is_never_the_best_and_a_repeated_job_names_the_first():
    odd = [row(5, 0.1, "unet", "done", float("nan")), *ROWS[1:3]]
    for mode, best in (("min", 2), ("max", 3)):
        assert [one.job.number for one in ranked(odd, "valid/iou", mode)][:1] == [best]
    again = replace(ROWS[2], job=replace(ROWS[2].job, number=6, run="s-006"), same_as=ROWS[2].job)
    line = table([ROWS[2], again], AXES, "valid/iou").splitlines()[-1]
    assert line.startswith("| 6   | 0.001  | unet  | done, as job 3 | 0.7500 ")
    assert line.endswith("| s-003 |")


@pytest.mark.parametrize("rows", [ROWS[1:3], ROWS[1:2]], ids=["several", "one"])
def test_the_picture_has_a_coloured_line_for_each_job_with_a_result(tmp_path, rows):
    draw(rows, AXES, "valid/iou", tmp_path / "p.png")
    picture = cv2.imread(str(tmp_path / "p.png")).astype(int)
    assert picture.shape[0] == 400
    coloured = (picture.max(axis=2) - picture.min(axis=2)) > 60
    assert coloured.sum() > 500


ONE = Job("s", 1, "s-001", "k", ["seed=1"])


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return new_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def plan(uri):
    return make_plan(uri=uri)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "digits/s")
    ONE.write(ledger.file(1, "json"))
    ledger.file(1, "log").touch()
    return ledger


@pytest.fixture
def left(ledger):
    """The folder of the job's run, in which a killed process has left its journal and no more."""
    folder = ledger.folder.with_name(ONE.run)
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
    assert judge(ledger, plan, ONE, 2, "") == ("failed", "no such key")
    ledger.file(1, "log").write_text("Traceback …\n  File …\nValueError: odd\n")
    assert judge(ledger, plan, ONE, 1, "") == ("failed", "ValueError: odd")
    ledger.file(1, "log").write_text("")
    assert judge(ledger, plan, ONE, 4, "") == ("failed", "exit code 4")


MEMORY = "killed by SIGKILL, as the kernel does when memory runs out"
ERROR = {"traceback.txt": "Traceback\n  File\nRuntimeError: no such luck\n"}
LATE = "no end within 9 s"


@pytest.mark.parametrize(
    ("files", "code", "outcome"),
    [
        ({}, None, ("stopped", "")),
        ({}, 75, ("stopped", "")),
        ({}, 130, ("stopped", "")),
        ({"pruned.txt": "pruned after epoch 2\n"}, 0, ("pruned", "")),
        (ERROR, 1, ("failed", "RuntimeError: no such luck")),
    ],
)
def test_what_a_run_has_left_and_its_exit_code_say_how_it_ended(
    ledger, plan, left, files, code, outcome
):
    for name, text in files.items():
        (left / name).write_text(text)
    assert judge(ledger, plan, ONE, code, "") == outcome


@pytest.mark.parametrize(("code", "late", "why"), [(-9, "", MEMORY), (75, LATE, LATE)])
def test_what_was_killed_or_took_too_long_is_recorded_as_failed(
    ledger, plan, left, uri, code, late, why
):
    assert judge(ledger, plan, ONE, code, late) == ("failed", why)
    assert (left / "traceback.txt").read_text().rstrip().endswith(why)
    assert status(uri) == "FAILED"


def test_killed_with_its_result_written_it_is_done_and_closed(ledger, plan, left, uri):
    (left / "result.json").write_text(json.dumps({"valid/iou": 0.5}))
    assert judge(ledger, plan, ONE, None, "") == ("done", "valid/iou 0.5000")
    assert status(uri) == "FINISHED"
    written = (left / "journal.jsonl").read_text()
    assert judge(ledger, plan, ONE, 0, "") == ("done", "valid/iou 0.5000")
    assert (left / "journal.jsonl").read_text() == written


def test_a_result_without_the_metric_is_a_failure(ledger, plan, uri):
    folder = ledger.folder.with_name(ONE.run)
    with open_run(folder, "digits", "01", uri=uri, redact=str):
        (folder / "result.json").write_text(json.dumps({"valid/f1": 0.5}))
    assert judge(ledger, plan, ONE, 0, "") == ("failed", "its result has no valid/iou")
