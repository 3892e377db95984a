"""Reads the matrices of some ids: one query for a batch, a few operations for all of its rows."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from reprise.datasets.precision import require_apart
from reprise.datasets.sql.database import Database, Parameters
from reprise.datasets.sql.table import (
    Table,
    ids_of,
    index_statement,
    listed_ids,
    require_columns,
    stamp_of,
)
from reprise.errors import UserError, in_one_line

CHUNK = 256  # ids read at once where a whole split is
# Ranges are quicker than a list of ids (measured on MariaDB) if they are few and nearly full:
_GAP = 4  # where the next wanted id is so many ids of the table further, a range ends
_RUN = 8  # wanted ids in a range, at least, on average
_LOOK_UP = 5  # to find one id more takes as long as to receive so many rows
_MOST_IDS = 900  # of one query: SQLite took at most 999 values until 3.32
_CONDITION = "__condition__"
_EXACT = 2**24  # whole numbers up to it are float32 numbers
Rows = Sequence[tuple[Any, ...]]  # of a driver: key, row, column and values


class Query:
    """Statements for rows of a table: key, row, column, values."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._key = ""  # as the database writes it
        self._compiled: dict[int, tuple[str, list[str] | None]] = {}

    def of_ids(self, ids: np.ndarray, dialect: sa.Dialect) -> tuple[str, Parameters]:
        """The statement for the rows of these ids, and its parameters.

        Texts are parameters; whole numbers stand in the statement, since a driver takes longer.
        """
        if ids.dtype.kind == "i":
            return self._where("{key} IN (" + ",".join(map(str, ids.tolist())) + ")", dialect), ()
        text, order = self._statement(len(ids), dialect)
        by_name = {f"p{at}": one for at, one in enumerate(ids.tolist())}
        return text, by_name if order is None else [by_name[name] for name in order]

    def of_ranges(
        self, ranges: Sequence[tuple[int, int]], dialect: sa.Dialect
    ) -> tuple[str, Parameters]:
        """The same for all ids from the first to the last whole number of each range."""
        condition = " OR ".join(f"{{key}} BETWEEN {first} AND {last}" for first, last in ranges)
        return self._where(condition, dialect), ()

    def _where(self, condition: str, dialect: sa.Dialect) -> str:
        text, _ = self._statement(0, dialect)
        if not self._key:
            key = self._table.selectable().c[self._table.key]
            self._key = str(key.compile(dialect=dialect))
        return text.replace(_CONDITION, condition.replace("{key}", self._key))

    def _statement(self, count: int, dialect: sa.Dialect) -> tuple[str, list[str] | None]:
        """The statement for so many ids as parameters p0, p1, …; for 0, _CONDITION is in it.

        With it come the parameters' names in order; None where they go by name. To compile takes
        longer than a small query.
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
        if table.zero_nulls:
            values = [sa.func.coalesce(value, sa.literal_column("0")) for value in values]
        query = sa.select(key, row, column, *values).where(within)
        if table.drop_outside:
            for axis, length in zip((row, column), table.size, strict=True):
                query = query.where(axis >= sa.literal_column("0"))
                query = query.where(axis < sa.literal_column(str(length)))
        if table.order:  # NULL first on every server, and equals by their values: not by chance
            order = cells.c[table.order]
            query = query.order_by(order.is_not(None), order, *values)
        return query


class Reader:
    """The matrices of a table, by their place among the ids. Picklable.

    Args:
        database: The database to read from.
        table: The table, and how its rows become matrices.
        listed: File with the ids; None for all that have rows.

    Raises:
        UserError: the database cannot be reached, or has no such table, columns or ids.
    """

    def __init__(self, database: Database, table: Table, listed: str | None) -> None:
        self.database, self._table, self._query = database, table, Query(table)
        with database.connect() as connection:
            require_columns(connection, table, str(database))
            found = ids_of(connection, table, str(database))
        self.ids = listed_ids(Path(listed), found, table) if listed else found
        self._ranks = np.searchsorted(found, self.ids)  # neighbours in the table, not in a list
        self._rows_of_id = 1.0  # as the last query found
        self._without_rows = int((~np.isin(self.ids, found)).sum())

    def read(self, indices: np.ndarray) -> np.ndarray:
        """The matrices of these places, in their order.

        Returns:
            Shape (len(indices), rows, columns, values), float32.

        Raises:
            UserError: a row does not fit, or the database does not answer.
        """
        wanted, back = np.unique(indices, return_inverse=True)
        parts = [
            self._matrices(wanted[at : at + _MOST_IDS]) for at in range(0, len(wanted), _MOST_IDS)
        ]
        return (parts[0] if len(parts) == 1 else np.concatenate(parts))[back]

    def name(self, index: int) -> str:
        """The id of a matrix, as messages show it."""
        return f"{self._table.key}={self.ids[index]}"

    @cached_property
    def notes(self) -> Sequence[str]:
        """Remarks that are no errors: ids without rows, a missing index."""
        found = []
        if self._without_rows:
            of = f"{self._without_rows} of {len(self.ids)} ids"
            found.append(f"{of} have no rows: their matrices are 0")
        with self.database.connect() as connection:
            statement = index_statement(connection, self._table)
        if statement:
            table = self._table
            found.append(
                f"table {table.name} has no index that starts with {table.key}, so that every "
                f"batch reads all of it; this makes one:\n  {statement};"
            )
        return found

    def problems(self, indices: np.ndarray) -> list[str]:
        """Read all of these matrices; one line for each that cannot be read."""
        found = []
        for at in range(0, len(indices), CHUNK):
            chunk = indices[at : at + CHUNK]
            try:
                self.read(chunk)
            except UserError as error:
                alone = len(chunk) > 1  # of one matrix or several: each alone tells which
                lines = [line for one in chunk if alone for line in self.problems(np.array([one]))]
                found += lines or [in_one_line(error)]
        return found

    @cached_property
    def stamp(self) -> str:
        """Fingerprint of a server's rows, from one scan; '' for a file."""
        if self.database.files:
            return ""
        with self.database.connect() as connection:
            return stamp_of(connection, self._table)

    def _matrices(self, indices: np.ndarray) -> np.ndarray:
        """The matrices of ascending places, by ranges of ids where `_ranges` finds them quicker."""
        ids, dialect = self.ids[indices], self.database.engine.dialect
        ranges, covered = self._ranges(indices)
        if not ranges:
            rows = self.database.rows(*self._query.of_ids(ids, dialect))
            self._rows_of_id = len(rows) / len(ids)
            return fill(self._table, rows, ids)
        rows = self.database.rows(*self._query.of_ranges(ranges, dialect))
        self._rows_of_id = len(rows) / covered
        wanted = set(ids.tolist())  # other rows in the ranges may be wrong
        return fill(self._table, [row for row in rows if row[0] in wanted], ids)

    def _ranges(self, indices: np.ndarray) -> tuple[list[tuple[int, int]], int]:
        """First and last id of ranges that hold the ids of ascending places, and nearly no others.

        Returns:
            The ranges, none where a list of ids is quicker, and how many ids of the table they
            cover.
        """
        ids, ranks = self.ids[indices], self._ranks[indices]
        if ids.dtype.kind != "i":  # texts have another order in each database
            return [], 0
        starts = np.flatnonzero(np.diff(ranks, prepend=-_GAP) >= _GAP)
        ends = np.append(starts[1:], len(ids)) - 1
        covered = int((ranks[ends] - ranks[starts] + 1).sum())
        needless_rows = (covered - len(ids)) * self._rows_of_id
        if len(starts) * _RUN > len(ids) or needless_rows > _LOOK_UP * len(ids):
            return [], 0
        return list(zip(ids[starts].tolist(), ids[ends].tolist(), strict=True)), covered


def fill(table: Table, rows: Rows, ids: np.ndarray) -> np.ndarray:
    """Put every row's values in their cell.

    Args:
        table: The names, the size of a matrix, and what several rows for one cell mean.
        rows: In any order; for 'last', in the order that decides.
        ids: Whose rows they are, ascending, each once.

    Returns:
        Shape (len(ids), *size, values), float32; 0 where a cell has no row.

    Raises:
        UserError: a row does not fit; the message has its id and its cell.
    """
    found = _columns(table, rows, ids)
    owner = np.searchsorted(ids, found["f0"]).clip(max=len(ids) - 1)
    if (strange := ids[owner] != found["f0"]).any():
        key = found["f0"][strange][0]
        raise UserError(
            f"table {table.name} gives {table.key}={key} for another id",
            "keys that the database and Python compare alike",
            f"{key}, which the database takes for equal to an id that was asked for",
            "write each id in one way (case, accents, blanks at the end), or compare them binary",
        )
    cells = _places(table, found["f1"], found["f2"], owner, rows)
    values = np.stack([found[name] for name in list(found.dtype.fields or ())[3:]], axis=1)
    with np.errstate(over="ignore"):
        sound = np.isfinite(values.astype(np.float32)).all(axis=1)
    if not sound.all():
        row = rows[int(sound.argmin())]
        entries = zip(table.values, row[3:], strict=True)
        raise _error(
            table,
            row,
            "no value",
            "numbers that float32 has",
            ", ".join(f"{name}={'NULL' if one is None else one}" for name, one in entries),
            "correct the row; dataset.nulls=zero takes NULL for 0",
        )
    for name, column in zip(table.values, values.T, strict=True):
        if np.abs(column).max(initial=0) > _EXACT:
            require_apart(column, f"the numbers in column {name} of table {table.name}")
    matrices = np.zeros((len(ids) * table.size[0] * table.size[1], values.shape[1]), np.float32)
    _assign(table, matrices, cells, values, rows)
    return matrices.reshape(len(ids), *table.size, -1)


def _columns(table: Table, rows: Rows, ids: np.ndarray) -> np.ndarray:
    """The rows as one structured array, fields f0, f1, …; NULL is NaN."""
    # One character more than any id has: a longer key than all of them is none of them.
    key = ids.dtype if ids.dtype.kind == "i" else np.dtype(f"U{ids.dtype.itemsize // 4 + 1}")
    numbers = [np.dtype(np.float64)] * (2 + len(table.values))
    dtype = np.dtype([(f"f{at}", kind) for at, kind in enumerate([key, *numbers])])
    try:
        return np.fromiter(rows, dtype, len(rows))
    except (TypeError, ValueError) as error:
        for row, entry in ((one, entry) for one in rows for entry in one[1:]):
            try:
                float(entry if entry is not None else 0)
            except (TypeError, ValueError):
                remedy = "correct the row, or make a view that casts the column"
                what, received = "a value is no number", repr(entry)
                raise _error(table, row, what, "numbers", received, remedy) from error
        raise


def _places(
    table: Table, down: np.ndarray, right: np.ndarray, owner: np.ndarray, rows: Rows
) -> np.ndarray:
    """Index of each row's cell among the cells of all matrices, int64."""
    height, width = table.size
    fits = (down >= 0) & (down < height) & (right >= 0) & (right < width)
    fits &= (down == np.floor(down)) & (right == np.floor(right))
    if not fits.all():
        row = rows[int(fits.argmin())]
        raise _error(
            table,
            row,
            "no such cell",
            f"whole numbers: {table.row} 0 to {height - 1}, {table.column} 0 to {width - 1}",
            f"{table.row}={row[1]}, {table.column}={row[2]}",
            "correct dataset.size or the row; dataset.outside=drop leaves such rows out",
        )
    return (owner * height + down.astype(np.int64)) * width + right.astype(np.int64)


def _assign(
    table: Table, matrices: np.ndarray, cells: np.ndarray, values: np.ndarray, rows: Rows
) -> None:
    if table.duplicates == "sum":  # in the order of the values: a float's sum depends on it
        order = np.lexsort((*values.T, cells))
        sums = np.zeros(matrices.shape)
        np.add.at(sums, cells[order], values[order])
        matrices[:] = sums
        return
    if table.duplicates == "error":
        seen = np.zeros(len(matrices), bool)
        seen[cells] = True
        if np.count_nonzero(seen) < len(cells):
            order = np.argsort(cells, kind="stable")
            twice = order[1:][np.diff(cells[order]) == 0][0]
            raise _error(
                table,
                rows[int(twice)],
                "several rows for one cell",
                "one row",
                "two or more",
                "take one out, or say which counts: dataset.duplicates=sum, or last with "
                "dataset.order",
            )
    matrices[cells] = values  # of equal cells NumPy keeps the last


def _error(
    table: Table, row: tuple[Any, ...], what: str, expected: str, received: str, remedy: str
) -> UserError:
    place = f"{table.key}={row[0]}, {table.row}={row[1]}, {table.column}={row[2]}"
    return UserError(f"{place}: {what} (table {table.name})", expected, received, remedy)
