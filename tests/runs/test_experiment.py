import pytest

from reprise.errors import UserError
from reprise.runs.experiment import refuse_problems, require_metric


def test_problems_are_listed_and_the_rest_counted():
    with pytest.raises(UserError, match=r"(?s)12 problem\(s\).*p0\n.*p7\n +… and 4 more"):
        refuse_problems([f"p{i}" for i in range(12)])


def test_no_problem_is_no_error():
    refuse_problems([])


def test_a_monitored_metric_is_one_that_is_measured():
    require_metric("valid/iou", ["loss", "iou"])
    with pytest.raises(UserError, match=r"(?s)valid/iuo is not measured.*valid/loss, valid/iou"):
        require_metric("valid/iuo", ["loss", "iou"])
