"""Matrices of a SQL table without targets and without noise."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reprise.datasets.base import Sample
from reprise.datasets.unlabelled import Unlabelled
from reprise.errors import UserError

if TYPE_CHECKING:
    from reprise.datasets.sql.reader import Reader
    from reprise.spec import Spec


class SqlMatrices(Unlabelled):
    """The matrices of some ids of a table; an id without rows cannot be read.

    Args:
        reader: Of the table, whose values are in the order of the model's input.
        key: Name of the column of ids.
        spec: Of the run's input.
        ids: Whose matrices; None for all.
    """

    def __init__(self, reader: "Reader", key: str, spec: "Spec", ids: Sequence[Any] | None) -> None:
        self._reader, self._key, self.input_spec = reader, key, spec
        known = reader.ids
        self._ids = known if ids is None else np.array(list(dict.fromkeys(ids)))
        if not len(self._ids) or self._ids.dtype.kind != known.dtype.kind:
            raise UserError(
                "input names no ids of the table",
                f"values of {key}, for instance {known[0]}",
                f"{self._ids[0]!r}, …" if len(self._ids) else "none",
                "correct the query or the file",
            )
        self._places = np.minimum(np.searchsorted(known, self._ids), len(known) - 1)
        self._has_rows = known[self._places] == self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def name(self, index: int) -> str:
        return f"{self._key}={self._ids[index]}"

    def came_in(self) -> Mapping[str, Sequence[Any]]:
        return {self._key: self._ids.tolist()}

    def read_input(self, index: int) -> np.ndarray:
        return self.read_many(np.array([index]), ())[0][0]

    def read_many(self, indices: np.ndarray, rngs: Sequence[Any]) -> Sample:
        if not (there := self._has_rows[indices]).all():
            raise UserError(
                f"{self.name(int(indices[~there][0]))} has no rows",
                "a row for each cell of its matrix",
                "none",
                "correct the query, or fill the table",
            )
        x = self._reader.read(self._places[indices])
        return x, np.zeros((len(x), 0), np.uint8)


def asked_ids(given: Sequence[str], reader: "Reader") -> list[Any] | None:
    """The ids that a user has named: by a query, in a file with one in a line, or `all`.

    Raises:
        UserError: it is none of these, or the database refuses the query.
    """
    (one,) = given if len(given) == 1 else [",".join(given)]
    is_number = reader.ids.dtype.kind == "i"
    if one == "all":
        return None
    if one.lower().lstrip().startswith(("select ", "with ")):
        return [row[0] for row in reader.database.rows(one, ())]
    if not Path(one).is_file():
        raise UserError(
            f"input={one} names no ids",
            "a file with an id in each line, a query such as 'SELECT id FROM people', or all",
            "no such file",
            "correct input=…",
        )
    lines = [line.strip() for line in Path(one).read_text("utf-8-sig").splitlines()]
    try:
        return [int(line) if is_number else line for line in lines if line]
    except ValueError as error:
        raise UserError(f"{one} holds no ids", "whole numbers", str(error), "correct it") from None
