"""What a table of cells is asked: the rows of some ids, and a stamp of the whole."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from reprise.datasets.sql.table import Table


def batch_statement(
    table: Table, size: Sequence[int], count: int, dialect: Dialect, *, zero_nulls: bool, drop: bool
) -> tuple[str, list[str] | None]:
    """The query for the rows of `count` ids: key, row, column, values.

    Args:
        table: Where to look.
        size: Rows and columns of a matrix.
        count: How many ids are asked for at once, as parameters p0, p1, …
        dialect: How the database writes it.
        zero_nulls: Whether a NULL value is given as 0.
        drop: Whether rows outside of the matrix are left out.

    Returns:
        The statement, and the parameters' names in order; None where they go by name.
    """
    cells = table.selectable()
    key, row, column = (cells.c[name] for name in (table.key, table.row, table.column))
    values: list[sa.ColumnElement[Any]] = [cells.c[name] for name in table.values]
    if zero_nulls:
        values = [sa.func.coalesce(value, sa.literal_column("0")) for value in values]
    query = sa.select(key, row, column, *values)
    query = query.where(key.in_([sa.bindparam(f"p{at}") for at in range(count)]))
    if drop:
        for axis, length in ((row, size[0]), (column, size[1])):
            query = query.where(axis >= sa.literal_column("0"))
            query = query.where(axis < sa.literal_column(str(length)))
    if table.order:  # NULL first on every server, and equals by their values: no order by chance
        order = cells.c[table.order]
        query = query.order_by(order.is_not(None), order, *values)
    compiled = query.compile(dialect=dialect)
    return str(compiled), list(compiled.positiontup or []) if compiled.positional else None


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
