"""Statements, word for word."""

import pickle

import numpy as np
import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite

from reprise.datasets.sql.reader import Query
from reprise.datasets.sql.table import Table


def plain(text):
    return " ".join(text.replace("`", "").replace('"', "").split())


@pytest.mark.parametrize("module", [mysql, sqlite, postgresql])
def test_whole_numbers_stand_in_the_statement_and_texts_are_parameters(module):
    table = Table("s.cells", "user", "y", "x", ("a", "b"), (3, 4))
    asked, dialect = pickle.loads(pickle.dumps(Query(table))), module.dialect()
    for ids in ([1, 5, -3], [2**62]):
        text, parameters = asked.of_ids(np.array(ids), dialect)
        words = ",".join(map(str, ids))
        assert plain(text).endswith(f"FROM s.cells WHERE (s.cells.user IN ({words}))")
        assert parameters == ()
    text, parameters = asked.of_ids(np.array(["a", "it's"]), dialect)
    assert "it's" not in text
    values = parameters.values() if isinstance(parameters, dict) else parameters
    assert list(values) == ["a", "it's"]
