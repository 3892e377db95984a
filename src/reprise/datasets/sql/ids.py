"""Whose matrices there are: every id that has a row, or those that a file lists."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from reprise.datasets.sql.table import Table
from reprise.errors import UserError

_MOST = 2**63 - 1  # of a whole number in 64 bits


def ids_of(connection: sa.Connection, table: Table, where: str) -> np.ndarray:
    """Every id that has a row, ascending (texts by code point), shape (count,), int64 or texts.

    Args:
        connection: To the database.
        table: Where to look.
        where: The database, as people know it.

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
    if not _are_ids(found):
        kinds = sorted({type(one).__name__ for one in found})
        raise UserError(
            f"the ids in {table.key} of table {table.name} cannot be used",
            "whole numbers of 64 bits, or texts; not both",
            f"{', '.join(kinds)}, for instance {found[0]!r}",
            "make a view that casts the column",
        )
    return np.array(sorted(found))


def listed_ids(file: Path, found: np.ndarray, table: Table) -> np.ndarray:
    """The ids that a file lists, one in a line, as `ids_of` gives them.

    Args:
        file: To read.
        found: Every id that has a row: at least one of them must be listed.
        table: The names that errors use.

    Raises:
        UserError: the file cannot be read, lists none, one twice, or no id that has a row.
    """
    lines = _lines(file)
    if found.dtype.kind == "i":
        for number, line in lines.items():
            if not line.lstrip("+-").isdecimal() or abs(int(line)) > _MOST:
                raise _wrong(f"{file}, line {number}: no id", "a whole number", line)
    ids = [int(line) if found.dtype.kind == "i" else line for line in lines.values()]
    ascending = sorted(ids)
    for one, other in pairwise(ascending):
        if one == other:
            raise _wrong(f"{file} lists {one} twice", "every id once", f"{one} in two lines")
    if not np.isin(ascending, found).any():
        raise _wrong(
            f"{file} lists no id that table {table.name} has rows for",
            f"ids of {table.key}, for instance {found[0]}",
            f"{ascending[0]}, …" if ascending else "no line",
        )
    return np.array(ascending)


def _are_ids(found: Sequence[Any]) -> bool:
    kinds = {type(one) for one in found}
    return kinds == {str} or (kinds == {int} and min(found) >= -_MOST and max(found) <= _MOST)


def _lines(file: Path) -> dict[int, str]:
    """The lines that are not empty, by their number."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(
            f"{file} cannot be read", "a text file, an id in a line", f"{error}"
        ) from error
    return {at: line.strip() for at, line in enumerate(text.splitlines(), 1) if line.strip()}


def _wrong(what: str, expected: str, received: str) -> UserError:
    return UserError(what, expected, received, "correct the file that dataset.ids names")
