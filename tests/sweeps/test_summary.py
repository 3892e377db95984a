"""The table and the picture of a sweep."""

import cv2
import pytest

from reprise.runs.job import Job
from reprise.sweeps.ledger import Standing
from reprise.sweeps.space import read_space
from reprise.sweeps.summary import Row, counts, draw, ranked, table

AXES = read_space(["opt.lr=tag(log,interval(1e-4,1e-1))", "model=unet,fpn"], lambda group: [])[1]


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


def test_the_best_is_first_and_those_without_a_result_last():
    def numbers(mode):
        return [row.job.number for row in ranked(ROWS, "valid/iou", mode)]

    assert numbers("max") == [3, 2, 1, 4]
    assert numbers("min") == [2, 3, 1, 4]


def test_the_table_says_what_became_of_every_job():
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


@pytest.mark.parametrize("rows", [ROWS, ROWS[1:2]], ids=["several", "one"])
def test_the_picture_has_a_coloured_line_for_each_job_with_a_result(tmp_path, rows):
    draw(rows, AXES, "valid/iou", tmp_path / "p.png")
    picture = cv2.imread(str(tmp_path / "p.png")).astype(int)
    assert picture.shape[0] == 400
    coloured = (picture.max(axis=2) - picture.min(axis=2)) > 60
    assert coloured.sum() > 500
