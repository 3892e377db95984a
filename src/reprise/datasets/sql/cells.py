"""Turns rows of a query into matrices, in a few operations for a whole batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np

from reprise.datasets.sql.table import Table
from reprise.errors import UserError


@dataclass(frozen=True)
class Cells:
    """How rows become matrices.

    Args:
        table: The names that errors use.
        size: Rows and columns of a matrix.
        duplicates: Several rows for one cell are an error, or the last counts, or their sum.
    """

    table: Table
    size: tuple[int, int]
    duplicates: Literal["error", "last", "sum"]

    def fill(self, rows: Sequence[tuple[Any, ...]], ids: np.ndarray) -> np.ndarray:
        """Put every row's values in their cell.

        Args:
            rows: Key, row, column and values, in any order; for 'last', in the order that decides.
            ids: Whose rows they are, ascending, each once.

        Returns:
            Shape (len(ids), *size, values), float32; 0 where a cell has no row.

        Raises:
            UserError: a row does not fit; the message has its id and its cell.
        """
        found = self._columns(rows, ids)
        owner = np.searchsorted(ids, found["f0"]).clip(max=len(ids) - 1)
        if (strange := ids[owner] != found["f0"]).any():
            self._refuse_key(found["f0"][strange][0])
        down, right = found["f1"], found["f2"]
        height, width = self.size
        fits = (down >= 0) & (down < height) & (right >= 0) & (right < width)
        fits &= (down == np.floor(down)) & (right == np.floor(right))
        if not fits.all():
            self._refuse_place(rows[int(fits.argmin())])
        values = np.stack([found[name] for name in list(found.dtype.fields or ())[3:]], axis=1)
        with np.errstate(over="ignore"):
            sound = np.isfinite(values.astype(np.float32)).all(axis=1)
        if not sound.all():
            self._refuse_value(rows[int(sound.argmin())])
        cells = (owner * height + down.astype(np.int64)) * width + right.astype(np.int64)
        matrices = np.zeros((len(ids) * height * width, values.shape[1]), np.float32)
        self._assign(matrices, cells, values, rows)
        return matrices.reshape(len(ids), height, width, -1)

    def _columns(self, rows: Sequence[tuple[Any, ...]], ids: np.ndarray) -> np.ndarray:
        """The rows as one structured array, fields f0, f1, …; NULL is NaN."""
        # One character more than any id has: a longer key than all of them is none of them.
        key = ids.dtype if ids.dtype.kind == "i" else np.dtype(f"U{ids.dtype.itemsize // 4 + 1}")
        numbers = [np.dtype(np.float64)] * (2 + len(self.table.values))
        dtype = np.dtype([(f"f{at}", kind) for at, kind in enumerate([key, *numbers])])
        try:
            return np.fromiter(rows, dtype, len(rows))
        except (TypeError, ValueError):
            self._refuse_text(rows)
            raise

    def _assign(
        self,
        matrices: np.ndarray,
        cells: np.ndarray,
        values: np.ndarray,
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        if self.duplicates == "sum":  # in the order of the values: a float's sum depends on it
            order = np.lexsort((*values.T, cells))
            sums = np.zeros(matrices.shape)
            np.add.at(sums, cells[order], values[order])
            matrices[:] = sums
            return
        if self.duplicates == "error":
            seen = np.zeros(len(matrices), bool)
            seen[cells] = True
            if np.count_nonzero(seen) < len(cells):
                order = np.argsort(cells, kind="stable")
                twice = order[1:][np.diff(cells[order]) == 0][0]
                self._refuse_second(rows[int(twice)])
        matrices[cells] = values  # of equal cells NumPy keeps the last

    def _name(self, row: tuple[Any, ...]) -> str:
        table = self.table
        return f"{table.key}={row[0]}, {table.row}={row[1]}, {table.column}={row[2]}"

    def _refuse_key(self, key: Any) -> NoReturn:
        raise UserError(
            f"table {self.table.name} gives {self.table.key}={key} for another id",
            "keys that the database and Python compare alike",
            f"{key}, which the database takes for equal to an id that was asked for",
            "write each id in one way (case, accents, blanks at the end), or compare them binary",
        )

    def _refuse_place(self, row: tuple[Any, ...]) -> NoReturn:
        table, (height, width) = self.table, self.size
        raise UserError(
            f"{self._name(row)}: no such cell (table {table.name})",
            f"whole numbers: {table.row} 0 to {height - 1}, {table.column} 0 to {width - 1}",
            f"{table.row}={row[1]}, {table.column}={row[2]}",
            "correct dataset.size or the row; dataset.outside=drop leaves such rows out",
        )

    def _refuse_value(self, row: tuple[Any, ...]) -> NoReturn:
        values = zip(self.table.values, row[3:], strict=True)
        raise UserError(
            f"{self._name(row)}: no value (table {self.table.name})",
            "numbers that float32 has",
            ", ".join(f"{name}={'NULL' if value is None else value}" for name, value in values),
            "correct the row; dataset.nulls=zero takes NULL for 0",
        )

    def _refuse_second(self, row: tuple[Any, ...]) -> NoReturn:
        raise UserError(
            f"{self._name(row)}: several rows for one cell (table {self.table.name})",
            "one row",
            "two or more",
            "take one out, or say which counts: dataset.duplicates=sum, or last with dataset.order",
        )

    def _refuse_text(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Raise the error of the first entry that is no number, if there is one."""
        for row in rows:
            for entry in row[1:]:
                try:
                    float(entry if entry is not None else 0)
                except (TypeError, ValueError) as error:
                    raise UserError(
                        f"{self._name(row)}: a value is no number (table {self.table.name})",
                        "numbers",
                        repr(entry),
                        "correct the row, or make a view that casts the column",
                    ) from error
