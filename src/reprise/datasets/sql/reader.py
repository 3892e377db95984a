"""Reads the matrices of some ids, one query for a batch of them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from reprise.datasets.sql.cells import Cells
from reprise.datasets.sql.connection import Database
from reprise.datasets.sql.ids import ids_of, listed_ids
from reprise.datasets.sql.query import Query, stamp_of
from reprise.datasets.sql.scaling import Scaling
from reprise.datasets.sql.table import index_statement, require_columns
from reprise.datasets.targets.moments import Moments
from reprise.errors import UserError
from reprise.spec import Spec

_CHUNK = 256  # ids read at once where a whole split is
# Ranges are quicker than a list of ids (measured on MariaDB) if they are few and nearly full:
_GAP = 4  # where the next wanted id is so many ids of the table further, a range ends
_RUN = 8  # wanted ids in a range, at least, on average
_LOOK_UP = 5  # to find one id more takes as long as to receive so many rows
_MOST_IDS = 900  # of one query: SQLite took at most 999 values until 3.32


class Reader:
    """The matrices of a table, by their place among the ids. Picklable, without a handle.

    Args:
        database: Where to read.
        cells: What the table is called, and how its rows become matrices.
        zero_nulls: Whether a NULL value is 0, or an error.
        drop: Whether rows outside of the matrix are left out, or an error.
        listed: File with the ids; None for all that have rows.

    Raises:
        UserError: the database cannot be reached, or has no such table, columns or ids.
    """

    def __init__(
        self, database: Database, cells: Cells, zero_nulls: bool, drop: bool, listed: str | None
    ) -> None:
        self.database, self._cells = database, cells
        self._query = Query(cells.table, cells.size, zero_nulls=zero_nulls, drop=drop)
        with database.visit() as connection:
            require_columns(connection, cells.table, str(database))
            found = ids_of(connection, cells.table, str(database))
        self.ids = listed_ids(Path(listed), found, cells.table) if listed else found
        self._ranks = np.searchsorted(found, self.ids)  # neighbours in the table, not in a list
        self._rows_of_id = 1.0  # as the last query found
        self._stamp: str | None = None  # a scan of all there is
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
        """What the user calls this matrix."""
        return f"{self._cells.table.key}={self.ids[index]}"

    def notes(self) -> Iterator[str]:
        """What is no mistake, but should be known before a long run."""
        table = self._cells.table
        if self._without_rows:
            yield f"{self._without_rows} of {len(self.ids)} ids have no rows: their matrices are 0"
        with self.database.visit() as connection:
            statement = index_statement(connection, table)
        if statement:
            yield (
                f"table {table.name} has no index that starts with {table.key}, so that every "
                f"batch reads all of it; this makes one:\n  {statement};"
            )

    def moments(self, indices: np.ndarray) -> Scaling:
        """Mean and deviation of each column over all cells of these matrices, in one scan."""
        names = self._cells.table.values
        spec = Spec((*self._cells.size, len(names)), "float32")
        moments = Moments(spec)
        for at in range(0, len(indices), _CHUNK):
            moments.add(self.read(indices[at : at + _CHUNK]))
        spec = moments.onto(spec)
        return Scaling(names, spec.offset, spec.scale)

    def problems(self, indices: np.ndarray) -> list[str]:
        """Read everything, and say of each matrix that cannot be read why, on a line."""
        found = []
        for at in range(0, len(indices), _CHUNK):
            part = indices[at : at + _CHUNK]
            try:
                self.read(part)
            except UserError:
                found += [problem for index in part if (problem := self._problem(index))]
        return found

    def stamp(self) -> str:
        """What tells that a server's rows are other ones; '' for a file, which tells it itself."""
        if self._stamp is None:
            self._stamp = ""
            if not self.database.files:
                with self.database.visit() as connection:
                    self._stamp = stamp_of(connection, self._cells.table)
        return self._stamp

    def _matrices(self, indices: np.ndarray) -> np.ndarray:
        """Those of ascending places, by a few ranges of ids where these lie close together."""
        ids, ranks = self.ids[indices], self._ranks[indices]
        starts = np.flatnonzero(np.diff(ranks, prepend=-_GAP) >= _GAP)
        ends = np.append(starts[1:], len(ids)) - 1
        needless = (ranks[ends] - ranks[starts] + 1).sum() - len(ids)
        is_close = len(starts) * _RUN <= len(ids)
        is_close &= needless * self._rows_of_id <= _LOOK_UP * len(ids)
        if is_close and ids.dtype.kind == "i":  # texts have another order in each database
            asked = self._query.of_ranges(ids[starts], ids[ends], self.database.dialect)
            rows = self.database.rows(*asked)
            self._rows_of_id = len(rows) / (len(ids) + needless)
            with suppress(UserError):  # perhaps of a row that was not wanted: then one by one
                return self._cells.fill(rows, ids, others=True)
        rows = self.database.rows(*self._query.of_ids(ids, self.database.dialect))
        self._rows_of_id = len(rows) / len(ids)
        return self._cells.fill(rows, ids)

    def _problem(self, index: int) -> str | None:
        try:
            self.read(np.array([index]))
        except UserError as error:
            what, _, received, _ = error.args
            return f"{what}: {received}"
        return None
