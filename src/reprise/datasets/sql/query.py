"""What a table of cells is asked: the rows of some ids, and a stamp of the whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from reprise.datasets.sql.connection import Parameters
from reprise.datasets.sql.table import Table

_CONDITION = "__condition__"


class Query:
    """Asks for rows of a table: key, row, column, values.

    Args:
        table: Where to look.
        size: Rows and columns of a matrix.
        zero_nulls: Whether a NULL value is given as 0.
        drop: Whether rows outside of the matrix are left out.
    """

    def __init__(self, table: Table, size: Sequence[int], *, zero_nulls: bool, drop: bool) -> None:
        self._table, self._size, self._zero_nulls, self._drop = table, size, zero_nulls, drop
        self._name = ""  # of the key, as the database writes it
        self._compiled: dict[int, tuple[str, list[str] | None]] = {}

    def of_ids(self, ids: np.ndarray, dialect: Dialect) -> tuple[str, Parameters]:
        """The statement for the rows of these ids, and its parameters.

        Args:
            ids: Whole numbers, which are written into it, since a driver takes longer to; or texts.
            dialect: How the database writes statements.
        """
        if ids.dtype.kind == "i":
            return self._where("{key} IN (" + ",".join(map(str, ids.tolist())) + ")", dialect)
        text, order = self._statement(len(ids), dialect)
        by_name = {f"p{at}": one for at, one in enumerate(ids.tolist())}
        return text, by_name if order is None else [by_name[name] for name in order]

    def of_ranges(
        self, first: np.ndarray, last: np.ndarray, dialect: Dialect
    ) -> tuple[str, Parameters]:
        """The same for all ids from one whole number to another, for several such pairs."""
        pairs = zip(first.tolist(), last.tolist(), strict=True)
        return self._where(" OR ".join(f"{{key}} BETWEEN {a} AND {b}" for a, b in pairs), dialect)

    def _where(self, condition: str, dialect: Dialect) -> tuple[str, Parameters]:
        text, _ = self._statement(0, dialect)
        if not self._name:
            key = self._table.selectable().c[self._table.key]
            self._name = str(key.compile(dialect=dialect))
        return text.replace(_CONDITION, condition.replace("{key}", self._name)), ()

    def _statement(self, count: int, dialect: Dialect) -> tuple[str, list[str] | None]:
        """The statement for so many ids as parameters p0, p1, …; for 0, _CONDITION is in it.

        With it come the parameters' names in order; None where they go by name.
        """
        if count not in self._compiled:
            compiled = self._select(count).compile(dialect=dialect)
            order = list(compiled.positiontup or []) if compiled.positional else None
            self._compiled[count] = str(compiled), order
        return self._compiled[count]

    def _select(self, count: int) -> sa.Select[Any]:
        table, cells = self._table, self._table.selectable()
        key, row, column = (cells.c[name] for name in (table.key, table.row, table.column))
        binds: list[Any] = [sa.bindparam(f"p{at}") for at in range(count)]
        within = key.in_(binds) if count else sa.text(f"({_CONDITION})")
        values: list[sa.ColumnElement[Any]] = [cells.c[name] for name in table.values]
        if self._zero_nulls:
            values = [sa.func.coalesce(value, sa.literal_column("0")) for value in values]
        query = sa.select(key, row, column, *values).where(within)
        if self._drop:
            for axis, length in zip((row, column), self._size, strict=True):
                query = query.where(axis >= sa.literal_column("0"))
                query = query.where(axis < sa.literal_column(str(length)))
        if table.order:  # NULL first on every server, and equals by their values: not by chance
            order = cells.c[table.order]
            query = query.order_by(order.is_not(None), order, *values)
        return query


def stamp_of(connection: sa.Connection, table: Table) -> str:
    """Count, least, greatest and sum of every column of numbers: what a server has, in one scan."""
    cells = table.selectable()
    numbers = [cells.c[name] for name in (table.row, table.column, *table.values)]
    key = cells.c[table.key]
    parts: list[sa.ColumnElement[Any]] = [sa.func.min(key), sa.func.max(key)]
    for number in numbers:
        parts += [sa.func.min(number), sa.func.max(number), sa.func.sum(number)]
    row = connection.execute(sa.select(sa.func.count(), *parts).select_from(cells)).one()
    return " ".join(str(part) for part in row)
