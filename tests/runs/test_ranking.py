import math

import pytest
from seen import seen

from reprise.errors import UserError
from reprise.runs.compare_ranking import (
    best_of,
    is_lower_better,
    metric_names,
    of_all_classes,
    ranked,
)


def ends(runs):
    return "".join(run.id[-1] for run in runs)


@pytest.fixture
def runs():
    """From old to new; the last one has no result yet, the third a useless one."""
    values = (0.5, 0.75, math.nan, 0.5)
    runs = [
        seen(end, id=f"20261121-12000{at}-000{end}", metrics={"valid/accuracy": values[at]})
        for at, end in enumerate("abcd")
    ]
    return [*runs, seen("e", id="20261121-120009-000e", metrics={}, status="running 0/4")]


def test_the_best_comes_first_and_of_equals_the_newest(runs):
    assert ends(ranked(runs, "")) == "bdaec"
    assert ends(ranked(runs[:4], "valid/accuracy")) == "bdac"


def test_the_newest_comes_first_if_asked(runs):
    assert ends(ranked(runs, "newest")) == "edcba"


def test_by_the_loss_the_smallest_is_best():
    runs = [seen(end, metrics={"valid/loss": at, "test/rmse": -at}) for at, end in enumerate("abc")]
    assert ends(ranked(runs, "valid/loss")) == "abc"
    assert ends(ranked(runs, "test/rmse")) == "cba"
    assert best_of("valid/loss", runs) == {runs[0].id}


@pytest.mark.parametrize(
    ("metric", "monitor", "mode", "lower"),
    [
        ("test/iou", "valid/iou", "max", False),
        ("test/distance", "valid/distance", "min", True),
        ("test/distance", "valid/iou", "max", False),
        ("test/loss", "valid/iou", "max", True),
        ("valid/mae", "valid/iou", "max", True),
        ("valid/r2", "valid/mae", "min", False),
    ],
)
def test_which_way_is_better_follows_the_monitor_then_the_name(metric, monitor, mode, lower):
    assert is_lower_better(metric, [seen("a", monitor=monitor, mode=mode)]) is lower


def test_a_metric_that_no_run_has_is_refused(runs):
    with pytest.raises(UserError, match=r"(?s)no run has test/iou.*newest, valid/accuracy"):
        ranked(runs, "test/iou")


def test_metrics_stand_in_the_order_in_which_they_are_read():
    names = ["valid/loss", "valid/f1_0", "test/f1_0", "valid/f1", "test/accuracy", "before_test/f1"]
    run = seen("a", metrics=dict.fromkeys([*names, "valid/accuracy"], 1.0))
    ordered = ["test/accuracy", "valid/accuracy", "valid/loss", "valid/f1", "before_test/f1"]
    assert metric_names([run]) == [*ordered, "test/f1_0", "valid/f1_0"]
    assert of_all_classes(metric_names([run])) == ordered


def test_the_best_is_marked_where_there_is_another_to_compare(runs):
    assert best_of("valid/accuracy", runs) == {runs[1].id}
    assert best_of("valid/accuracy", [runs[0], runs[3]]) == {runs[0].id, runs[3].id}
    assert best_of("valid/accuracy", [runs[0], runs[2]]) == set()
    assert best_of("test/iou", runs) == set()
