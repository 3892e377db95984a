"""Rows of a table without targets: columns by name, whatever else the table holds."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reprise.datasets.base import Sample
from reprise.datasets.tables import Table, read_table, row_place
from reprise.datasets.unlabelled import Unlabelled
from reprise.errors import UserError
from reprise.spec import Spec


class TableRows(Unlabelled):
    """Rows of CSV or Parquet files, in memory: the columns that the model was trained on.

    An input is a row's numbers, shape (columns,), float32.

    Args:
        given: Tables with the same columns.
        spec: Of the run's input.
        columns: Names of the model's columns, for a spec that has none.

    Raises:
        UserError: a table cannot be read, or has no such column.
    """

    in_memory = True

    def __init__(self, given: Sequence[str], spec: Spec, columns: Sequence[str] | None) -> None:
        self.input_spec = spec
        names = list(spec.names or columns or ())
        if not names:
            raise UserError(
                "which columns the model was trained on is not recorded",
                "dataset.columns in the run's config, or names in its specs.json",
                "a run from before 28 November 2026 that takes all columns",
                "train it again, or predict on its own data: input=test",
            )
        tables = [read_table(file, "input") for file in given]
        self._x = np.concatenate([_numbers(table, names) for table in tables])
        self._files = [table.file for table in tables]
        self._first = np.cumsum([0, *map(len, tables)])  # row of each table
        self._numbers = np.concatenate([table.frame.index for table in tables])  # in its file
        self._frame = pd.concat([table.frame for table in tables], ignore_index=True)

    def __len__(self) -> int:
        return len(self._x)

    def name(self, index: int) -> str:
        file = self._files[bisect_right(self._first, index) - 1]
        return row_place(file, int(self._numbers[index]))

    def came_in(self) -> Mapping[str, Sequence[Any]]:
        return {str(name): self._frame[name] for name in self._frame}

    def read_input(self, index: int) -> np.ndarray:
        row = self._x[index].astype(self.input_spec.dtype)
        wrong = np.flatnonzero(~np.isfinite(row))
        if len(wrong):
            names = [self.input_spec.names[at] for at in wrong if self.input_spec.names]
            raise UserError(
                f"{self.name(index)}: no number stands in {', '.join(names) or 'the row'}",
                "a finite number in every column of the model",
                "an empty cell, or a text",
                "correct the row",
            )
        return row

    def read_many(self, indices: np.ndarray, rngs: Sequence[Any]) -> Sample:
        x = self._x[indices].astype(self.input_spec.dtype)
        if not np.isfinite(x).all():
            raise ValueError("a row has a cell without a number")
        return x, np.zeros((len(x), 0), np.uint8)


def _numbers(table: Table, names: Sequence[str]) -> np.ndarray:
    """Columns as float64, shape (rows, columns); NaN where a cell is no number."""
    found = []
    for name in names:
        try:
            found.append(table.numbers(name, "input"))
        except UserError:  # a cell is wrong, or the whole column is missing: then this raises, too
            texts = pd.Series(table.texts(name, "input"), dtype=object)
            found.append(pd.to_numeric(texts, errors="coerce").to_numpy(float))
    return np.stack(found, axis=1).astype(np.float64)
