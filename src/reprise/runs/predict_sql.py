"""Answers in a table of a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from reprise.datasets.sql.database import make_engine, parse_url, shown, with_password
from reprise.errors import UserError


def cells(
    ids: np.ndarray, matrices: np.ndarray, columns: Mapping[str, str], values: Sequence[str]
) -> pd.DataFrame:
    """Matrices as rows of a table: id, row, column, and a column for each value.

    Args:
        ids: Shape (matrices,).
        matrices: Shape (matrices, rows, columns, values).
        columns: Names of the columns, as in `SqlMatrix`.
        values: Names of the columns with values; empty: value_0, value_1, ….
    """
    count, rows, wide, depth = matrices.shape
    row, column = np.indices((rows, wide)).reshape(2, -1)
    frame = pd.DataFrame(
        {
            columns["key"]: np.repeat(ids, rows * wide),
            columns["row"]: np.tile(row, count),
            columns["column"]: np.tile(column, count),
        }
    )
    names = values or [f"value_{at}" for at in range(depth)]
    return frame.assign(**dict(zip(names, matrices.reshape(-1, depth).T, strict=True)))


def require_new_table(to: str, settings: Mapping[str, Any]) -> None:
    """Check that a table can be made; arguments as of `write_table`.

    Raises:
        UserError: the address is none, the table is there, or the database refuses.
    """
    write_table(None, to, settings)


def write_table(frame: pd.DataFrame | None, to: str, settings: Mapping[str, Any]) -> None:
    """Write a table to a database, in one transaction.

    Args:
        frame: The table; None writes none, and finds out whether it could be written.
        to: `URL#table`; there is no such table yet.
        settings: Of the run's dataset, of which `password_variable` counts.

    Raises:
        UserError: the address is none, the table is there, or the database refuses.
    """
    text, _, name = to.rpartition("#")
    if not text or not name:
        raise UserError(
            "to=… names no table of a database",
            "URL#table, for instance sqlite:///answers.db#answers",
            "no '#', or nothing on one side of it",
            "correct it",
        )
    url = parse_url(text)
    engine = make_engine(with_password(url, settings.get("password_variable", "DB_PASSWORD")))
    try:
        with engine.begin() as connection:
            if sa.inspect(connection).has_table(name):
                raise ValueError(f"a table {name} is there already")
            if frame is not None:
                frame.to_sql(name, connection, index=False, chunksize=10_000)
    except (sa.exc.SQLAlchemyError, ValueError) as error:
        raise UserError(
            f"the table {name} in {shown(url)} cannot be written",
            "a database that lets this user make a table, and has none of this name",
            str(getattr(error, "orig", None) or error).splitlines()[0],
            "choose another name, or drop the table",
        ) from None
    finally:
        engine.dispose()
