"""Tables of samples, in CSV or Parquet: columns by name, every mistake with its line.

A cell is the text that stands in the file, without spaces around it; an empty one is missing, and
"NA" or "None" are names like any other.
"""

import difflib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reprise.datasets.tables.quick import numbers_or_nan, quick_numbers
from reprise.errors import UserError

if TYPE_CHECKING:
    import pandas

# Of pandas.read_csv. As text: it would take a class "None" for a missing cell, and "01" for 1. And
# where rows are longer than the header, it would move every cell by one column.
CSV: dict[str, Any] = {
    "dtype": str,
    "keep_default_na": False,
    "skip_blank_lines": False,
    "index_col": False,
    "encoding": "utf-8-sig",
}


@dataclass(frozen=True)
class Table:
    """A table that was read; made when a dataset is constructed, and not kept in it.

    Whatever asks for a column raises a UserError where there is none of that name.

    Args:
        file: Where it stands.
        frame: Its cells, or those of some of its rows.
        first: Number of the first of these rows, from 0.
    """

    file: Path
    frame: "pandas.DataFrame"
    first: int = 0

    def __len__(self) -> int:
        return len(self.frame)

    def place(self, at: int) -> str:
        """Name a row, for errors."""
        return row_place(self.file, self.first + at)

    def texts(self, column: str, key: str) -> list[str]:
        """The cells of a column as text; '' where one is missing.

        Args:
            column: Its name.
            key: The config key that gave the name, for errors.
        """
        if column not in self.frame:
            names = [str(name) for name in self.frame]
            near = difflib.get_close_matches(column, names, n=1)
            raise UserError(
                f"{key}: {self.file} has no column '{column}'",
                f"one of {', '.join(names)}",
                f"'{column}'",
                f"did you mean {key}={near[0]}?" if near else f"correct {key}, or the header",
            )
        cells = self.frame[column]
        if cells.map(np.ndim).any():
            what, remedy = f"{key}: column '{column}' of {self.file}", "join each list, as 'a|b'"
            raise UserError(f"{what} holds lists", "text or numbers", "lists", remedy)
        return cells.where(cells.notna(), "").astype(str).str.strip().tolist()

    def present(self, column: str, key: str) -> list[str]:
        """The cells of a column as text; an empty one is refused, with its line."""
        texts = self.texts(column, key)
        if "" in texts:
            what = f"{self.place(texts.index(''))}: nothing stands in column '{column}'"
            remedy = "fill it in, or take the line out"
            raise UserError(what, f"text in every row ({key})", "an empty cell", remedy)
        return texts

    def distinct(self, column: str, key: str) -> list[str]:
        """The cells of a column as text; an empty one is refused, and one that occurs again."""
        texts = self.present(column, key)
        first: dict[str, int] = {}
        for at, text in enumerate(texts):
            if first.setdefault(text, at) != at:
                what = f"{self.place(at)}: '{text}' stands in column '{column}' for a second time"
                received = f"the same in {self.place(first[text])}"
                raise UserError(what, "each once", received, "take one of the two rows out")
        return texts

    def numbers(self, column: str, key: str) -> np.ndarray:
        """The cells of a column, float64, shape (rows,); what is not finite is refused."""
        if (quick := quick_numbers(self.frame.get(column))) is not None:
            return quick
        texts = self.texts(column, key)
        values = numbers_or_nan(texts)
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            at = int(wrong[0])
            what = f"{self.place(at)}: no number stands in column '{column}'"
            received = f"'{texts[at]}'" if texts[at] else "an empty cell"
            remedy = "correct it, or take the line out"
            raise UserError(what, f"a finite number in every row ({key})", received, remedy)
        return values


def row_place(file: Path, row: int) -> str:
    """Name a row, numbered from 0, as an editor does: in a CSV, line 1 is the header."""
    is_csv = file.suffix.lower() == ".csv"
    return f"{file}, line {row + 2}" if is_csv else f"{file}, row {row + 1}"


def read_table(path: str, key: str) -> Table:
    """Read a CSV file, with commas and a header, in UTF-8; or a Parquet file.

    Raises:
        UserError: it is neither, cannot be read, or has no row; the config key `key` is named.
    """
    file = Path(path)
    try:
        frame = _read(file)
    except (OSError, ValueError, Warning) as error:  # pandas's and Arrow's errors are ValueErrors
        raise UserError(
            f"{key}: {file} cannot be read",
            "a CSV file with commas and a header, in UTF-8, or a Parquet file",
            str(error).strip(),
            f"correct {key}, or the file",
        ) from error
    if not len(frame):
        remedy = f"correct {key}, or fill the table"
        raise UserError(f"{key}: {file} has no row", "a sample in each row", "a header", remedy)
    return Table(file, frame)


def _read(file: Path) -> "pandas.DataFrame":
    import pandas as pd

    if file.suffix.lower() in (".parquet", ".pq"):
        return pd.read_parquet(file)
    if file.suffix.lower() != ".csv":
        raise ValueError(f"a file of kind '{file.suffix}'")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        return pd.read_csv(file, **CSV)
