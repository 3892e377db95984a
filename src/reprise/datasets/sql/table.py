"""A table of cells: its names, checked and quoted, its ids, and its index."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from reprise.errors import UserError

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_MOST = 2**63 - 1  # of a whole number in 64 bits


@dataclass(frozen=True)
class Table:
    """A table or view of cells, and how its rows become matrices; see `SqlMatrix`.

    Raises:
        UserError: a name is no identifier, or `order` does not fit `duplicates`.
    """

    name: str  # or schema.name
    key: str
    row: str
    column: str
    values: tuple[str, ...]
    size: tuple[int, int]
    duplicates: Literal["error", "last", "sum"] = "error"
    order: str | None = None
    zero_nulls: bool = False
    drop_outside: bool = False

    def __post_init__(self) -> None:
        if (self.duplicates == "last") != (self.order is not None):
            raise UserError(
                "dataset.order and dataset.duplicates do not fit",
                "the column to order by for duplicates=last, and null for every other",
                f"dataset.duplicates={self.duplicates} dataset.order={self.order or 'null'}",
                "change one of them",
            )
        parts = self.name.split(".")
        wrong = [name for name in (*parts[-2:], *self.columns) if not _IDENTIFIER.fullmatch(name)]
        if wrong or len(parts) > 2:
            raise UserError(
                f"'{(wrong or [self.name])[0]}' is no name of a table or column",
                "letters, digits and underscores; a table may have its schema before it: a.b",
                f"dataset.table={self.name}, columns {', '.join(self.columns)}",
                "correct the name, or make a view that has plain ones",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, each once."""
        order = (self.order,) if self.order else ()
        return tuple(dict.fromkeys((self.key, self.row, self.column, *self.values, *order)))

    @property
    def place(self) -> tuple[str | None, str]:
        """Schema, or None, and name."""
        schema, _, name = self.name.rpartition(".")
        return schema or None, name

    def selectable(self) -> sa.TableClause:
        """SQLAlchemy's table, every name quoted."""
        schema, name = self.place
        columns: list[sa.ColumnClause[Any]] = [sa.column(_quoted(one)) for one in self.columns]
        return sa.table(_quoted(name), *columns, schema=_quoted(schema) if schema else None)


def require_columns(connection: sa.Connection, table: Table, where: str) -> None:
    """Check that the table and its columns exist in the database called `where`.

    Raises:
        UserError: they do not; the message has the nearest name that does.
    """
    inspector = sa.inspect(connection)
    schema, name = table.place
    if not inspector.has_table(name, schema):
        there = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        raise _missing(f"there is no table {table.name} in {where}", name, there, "dataset.table")
    there = [column["name"] for column in inspector.get_columns(name, schema)]
    for column in table.columns:
        if column not in there:
            what = f"table {table.name} in {where} has no column {column}"
            raise _missing(what, column, there, "dataset.columns, values, targets or order")


def index_statement(connection: sa.Connection, table: Table) -> str | None:
    """The statement that would make the index by key that a table lacks, or None.

    Without one each batch reads the whole table, which is 12 to 97 times slower on 400 000 rows
    and more on more. Of a view this cannot be told.
    """
    inspector = sa.inspect(connection)
    schema, name = table.place
    if name in inspector.get_view_names(schema):
        return None
    keys: list[Any] = [inspector.get_pk_constraint(name, schema)["constrained_columns"]]
    keys += [one["column_names"] for one in inspector.get_unique_constraints(name, schema)]
    keys += [one["column_names"] for one in inspector.get_indexes(name, schema)]
    if any(columns and columns[0] == table.key for columns in keys):
        return None
    names = (table.key, table.row, table.column)
    columns = [sa.Column(_quoted(one), sa.Integer) for one in names]
    whole = sa.Table(_quoted(name), sa.MetaData(), *columns, schema=schema)
    index = sa.Index(f"{name}_{table.key}", *whole.columns)
    return f"{CreateIndex(index).compile(dialect=connection.dialect)}".strip()


def stamp_of(connection: sa.Connection, table: Table) -> str:
    """Row count, and least, greatest and sum of every column of numbers, in one scan."""
    cells = table.selectable()
    key = cells.c[table.key]
    parts: list[sa.ColumnElement[Any]] = [sa.func.min(key), sa.func.max(key)]
    for name in (table.row, table.column, *table.values):
        number = cells.c[name]
        parts += [sa.func.min(number), sa.func.max(number), sa.func.sum(number)]
    row = connection.execute(sa.select(sa.func.count(), *parts).select_from(cells)).one()
    return " ".join(str(part) for part in row)


def ids_of(connection: sa.Connection, table: Table, where: str) -> np.ndarray:
    """Every id that has a row, ascending (texts by code point), shape (count,), int64 or texts.

    Raises:
        UserError: there is none, or they are neither whole numbers nor texts.
    """
    cells = table.selectable()
    key = cells.c[table.key]
    found = connection.execute(sa.select(key).where(key.is_not(None)).distinct()).scalars().all()
    if not found:
        raise UserError(
            f"table {table.name} in {where} has no rows",
            f"a row for every cell, and in {table.key} whose it is",
            "no row with a key",
            "fill it: scripts/load_csv.py takes a CSV file",
        )
    kinds = {type(one) for one in found}
    if kinds != {str} and (kinds != {int} or min(found) < -_MOST or max(found) > _MOST):
        names = sorted(kind.__name__ for kind in kinds)
        raise UserError(
            f"the ids in {table.key} of table {table.name} cannot be used",
            "whole numbers of 64 bits, or texts; not both",
            f"{', '.join(names)}, for instance {found[0]!r}",
            "make a view that casts the column",
        )
    return np.array(sorted(found))


def listed_ids(file: Path, found: np.ndarray, table: Table) -> np.ndarray:
    """The ids that a file lists, one in a line, in the order and dtype of `ids_of`.

    Raises:
        UserError: the file cannot be read, lists none, one twice, or none of `found`, which are
            all ids that have a row.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        expected = "a text file, an id in a line"
        raise _wrong_list(f"{file} cannot be read", expected, f"{error}") from error
    is_number = found.dtype.kind == "i"
    ids: list[Any] = []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line:
            continue
        if is_number and (not line.lstrip("+-").isdecimal() or abs(int(line)) > _MOST):
            raise _wrong_list(f"{file}, line {number}: no id", "a whole number", line)
        ids.append(int(line) if is_number else line)
    ids.sort()
    for one, other in pairwise(ids):
        if one == other:
            raise _wrong_list(f"{file} lists {one} twice", "every id once", f"{one} in two lines")
    if not np.isin(ids, found).any():
        raise _wrong_list(
            f"{file} lists no id that table {table.name} has rows for",
            f"ids of {table.key}, for instance {found[0]}",
            f"{ids[0]}, …" if ids else "no line",
        )
    return np.array(ids)


def _quoted(name: str) -> sa.quoted_name:
    return sa.quoted_name(name, quote=True)


def _missing(what: str, name: str, there: Sequence[str], key: str) -> UserError:
    near = difflib.get_close_matches(name, there, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"correct {key}"
    return UserError(what, f"one of: {', '.join(there) or 'none at all'}", name, remedy)


def _wrong_list(what: str, expected: str, received: str) -> UserError:
    return UserError(what, expected, received, "correct the file that dataset.ids names")
