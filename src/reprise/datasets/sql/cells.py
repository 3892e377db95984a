"""Turns rows of a query into matrices, in a few operations for a whole batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from reprise.datasets.precision import require_apart
from reprise.datasets.sql.table import Table
from reprise.errors import UserError

_EXACT = 2**24  # whole numbers up to it are float32 numbers
Rows = Sequence[tuple[Any, ...]]  # of a driver: key, row, column and values


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
