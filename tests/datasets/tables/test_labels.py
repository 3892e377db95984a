"""Columns of a table as targets."""

import numpy as np
import pandas as pd
import pytest

from reprise.datasets.tables.labels import table_targets
from reprise.datasets.tables.reading import Table
from reprise.errors import UserError
from reprise.spec import Spec


@pytest.fixture
def table(tmp_path):
    columns = {
        "kind": ["cat", "hen", "cat"],
        "tags": ["fur | legs", "legs", ""],
        "fur": ["1", "0", "1"],
        "legs": ["1", "1", "0"],
        "mass": ["4.5", "1", "3"],
    }
    return Table(tmp_path / "t.csv", pd.DataFrame(columns))


@pytest.mark.parametrize(
    ("target", "label", "values", "spec"),
    [
        ("class", "kind", [0, 1, 0], Spec((), "int32", ("cat", "hen"))),
        ("class", ["kind"], [0, 1, 0], Spec((), "int32", ("cat", "hen"))),
        ("class", "fur", [1, 0, 1], Spec((), "int32", ("0", "1"))),
        ("labels", "tags", [[1, 1], [0, 1], [0, 0]], Spec((2,), "uint8", ("fur", "legs"))),
        ("labels", ["legs", "fur"], [[1, 1], [1, 0], [0, 1]], Spec((2,), "uint8",
                                                                  ("legs", "fur"))),
        ("value", "mass", [4.5, 1, 3], Spec((), "float32")),
        ("value", ["mass", "fur"], [[4.5, 1], [1, 0], [3, 1]], Spec((2,), "float32")),
        ("value", ["mass"], [[4.5], [1], [3]], Spec((1,), "float32")),
    ],
)  # fmt: skip
def test_what_columns_say(table, target, label, values, spec):
    targets = table_targets(table, target, label, "|", None)
    assert np.array_equal(targets.values, values)
    assert targets.spec == spec


def test_another_separator_and_names_in_an_order(table):
    table.frame["tags"] = ["b;a", "c", "a"]
    targets = table_targets(table, "labels", "tags", ";", ["c", "b", "a"])
    assert targets.values.tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("target", "label", "classes", "said"),
    [
        ("class", ["kind", "fur"], None, "does not fit dataset.target=class"),
        ("value", [], None, "does not fit dataset.target=value"),
        ("class", "kind", ["cat", "dog"], "line 3: 'hen' is no class"),
        ("labels", "tags", ["fur"], "line 2: 'legs' is no class"),
        ("labels", ["fur", "mass"], None, "line 2: 4.5 for 'mass' is no label"),
        ("labels", ["fur", "legs"], ["a", "b"], "dataset.classes names other classes"),
        ("value", "kind", None, "line 2: no number stands in column 'kind'"),
        ("class", "knid", None, "did you mean dataset.label=kind"),
    ],
)
def test_what_does_not_fit_is_refused(table, target, label, classes, said):
    with pytest.raises(UserError) as caught:
        table_targets(table, target, label, "|", classes)
    assert said in str(caught.value)
