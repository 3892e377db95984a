"""Statements, word for word."""

import pickle

import numpy as np
import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite

from reprise.datasets.sql.reader import Query
from reprise.datasets.sql.table import Table


def query(name="s.cells", values=("a", "b"), **settings):
    table = Table(name, "user", "y", "x", values, (3, 4), **settings)
    return pickle.loads(pickle.dumps(Query(table)))


def plain(text):
    return " ".join(text.replace("`", "").replace('"', "").split())


@pytest.mark.parametrize("module", [mysql, sqlite, postgresql])
def test_whole_numbers_stand_in_the_statement_and_texts_are_parameters(module):
    asked, dialect = query(), module.dialect()
    for ids in ([1, 5, -3], [2**62]):
        text, parameters = asked.of_ids(np.array(ids), dialect)
        words = ",".join(map(str, ids))
        assert plain(text).endswith(f"FROM s.cells WHERE (s.cells.user IN ({words}))")
        assert parameters == ()
    text, parameters = asked.of_ids(np.array(["a", "it's"]), dialect)
    assert "it's" not in text
    values = parameters.values() if isinstance(parameters, dict) else parameters
    assert list(values) == ["a", "it's"]


def test_ranges_stand_in_it_too():
    text, parameters = query(drop_outside=True).of_ranges([(1, 9), (20, 31)], mysql.dialect())
    assert "(s.cells.user BETWEEN 1 AND 9 OR s.cells.user BETWEEN 20 AND 31) AND" in plain(text)
    assert plain(text).endswith("s.cells.y < 3 AND s.cells.x >= 0 AND s.cells.x < 4")
    assert parameters == ()


def test_nulls_order_and_values():
    asked = query("cells", ("a",), order="at", zero_nulls=True)
    text = plain(asked.of_ids(np.array([1]), sqlite.dialect())[0])
    assert "coalesce(cells.a, 0)" in text
    assert text.endswith("ORDER BY cells.at IS NOT NULL, cells.at, coalesce(cells.a, 0)")
