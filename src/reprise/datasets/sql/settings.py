"""The settings of a table of cells, held against one another before a database is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from reprise.datasets.sql.table import Table
from reprise.errors import UserError

_ROLES = ("key", "row", "column")


def make_table(
    name: str, columns: Mapping[Any, str], values: Sequence[str], duplicates: str, order: str | None
) -> Table:
    """Make the table's names out of the settings.

    Args:
        name: Of the table.
        columns: Name of the key, the row and the column.
        values: Columns of values, some perhaps twice.
        duplicates: Which of several rows counts.
        order: Column for 'last'.

    Raises:
        UserError: a name is missing, used twice or no identifier, or `order` does not fit.
    """
    if set(columns) != set(_ROLES) or len(set(columns.values())) < len(_ROLES):
        raise UserError(
            "dataset.columns does not name the three columns of a cell's place",
            "key, row and column, each another column of the table",
            ", ".join(f"{role}: {column}" for role, column in columns.items()) or "nothing",
            "for instance dataset.columns.key=user_id dataset.columns.row=y "
            "dataset.columns.column=x",
        )
    if (duplicates == "last") != (order is not None):
        raise UserError(
            "dataset.order and dataset.duplicates do not fit",
            "the column to order by for duplicates=last, and null for every other",
            f"dataset.duplicates={duplicates} dataset.order={order or 'null'}",
            "change one of them",
        )
    key, row, column = (columns[role] for role in _ROLES)
    return Table(name, key, row, column, tuple(dict.fromkeys(values)), order)
