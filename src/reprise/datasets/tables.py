"""Tables of samples, in CSV or Parquet: columns by name, every mistake with its line.

A cell is its text in the file without surrounding spaces; an empty one is missing, and "NA" and
"None" are names like any other.
"""

import difflib
import warnings
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reprise.datasets.targets import (
    Target,
    Targets,
    class_targets,
    flag_targets,
    label_targets,
    value_targets,
)
from reprise.errors import UserError

if TYPE_CHECKING:
    import pandas

# Arguments of pandas.read_csv. Cells are read as text: pandas would take a class "None" for a
# missing cell, and "01" for 1; and where rows are longer than the header, it would move every cell
# by one column.
CSV: dict[str, Any] = {
    "dtype": str,
    "keep_default_na": False,
    "skip_blank_lines": False,
    "index_col": False,
    "encoding": "utf-8-sig",
}
_INPUTS, _LABEL = "dataset.columns", "dataset.label"  # config keys


@dataclass(frozen=True)
class Table:
    """The rows of a table, or some of them; a dataset reads it when constructed and keeps it not.

    Methods take the name of a column, and the config key that gave it, for errors; they raise a
    UserError if there is no such column.
    """

    file: Path
    frame: "pandas.DataFrame"
    first: int = 0  # number of the first of these rows in the file

    def __len__(self) -> int:
        return len(self.frame)

    def place(self, at: int) -> str:
        """Name a row, for errors."""
        return row_place(self.file, self.first + at)

    def texts(self, column: str, key: str) -> list[str]:
        """The cells of a column as text; '' for a missing one."""
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
        if cells.dtype == object and cells.map(np.ndim).any():
            what, remedy = f"{key}: column '{column}' of {self.file}", "join each list, as 'a|b'"
            raise UserError(f"{what} holds lists", "text or numbers", "lists", remedy)
        return cells.where(cells.notna(), "").astype(str).str.strip().tolist()

    def present(self, column: str, key: str) -> list[str]:
        """As `texts`, with a UserError for an empty cell."""
        texts = self.texts(column, key)
        if "" in texts:
            what = f"{self.place(texts.index(''))}: nothing stands in column '{column}'"
            remedy = "fill it in, or take the line out"
            raise UserError(what, f"text in every row ({key})", "an empty cell", remedy)
        return texts

    def distinct(self, column: str, key: str) -> list[str]:
        """As `present`, with a UserError for a text that occurs twice."""
        texts = self.present(column, key)
        first: dict[str, int] = {}
        for at, text in enumerate(texts):
            if first.setdefault(text, at) != at:
                what = f"{self.place(at)}: '{text}' stands in column '{column}' for a second time"
                received = f"the same in {self.place(first[text])}"
                raise UserError(what, "each once", received, "take one of the two rows out")
        return texts

    def numbers(self, column: str, key: str) -> np.ndarray:
        """The cells of a column, float64, shape (rows,), with a UserError for one not finite."""
        import pandas as pd

        cells = self.frame.get(column)
        if cells is not None and isinstance(cells.dtype, pd.StringDtype):
            with suppress(ValueError):  # Arrow's errors are; clean text is read 100 times faster
                values = cells.astype("double[pyarrow]").to_numpy()
                if values.dtype == np.float64 and np.isfinite(values).all():
                    return values
        texts = self.texts(column, key)
        values = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(float)
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            at = int(wrong[0])
            what = f"{self.place(at)}: no number stands in column '{column}'"
            received = f"'{texts[at]}'" if texts[at] else "an empty cell"
            remedy = "correct it, or take the line out"
            raise UserError(what, f"a finite number in every row ({key})", received, remedy)
        return values


def row_place(file: Path, row: int) -> str:
    """Name a row, numbered from 0, as an editor does: line 1 of a CSV is the header."""
    is_csv = file.suffix.lower() == ".csv"
    return f"{file}, line {row + 2}" if is_csv else f"{file}, row {row + 1}"


def read_table(path: str, key: str) -> Table:
    """Read a CSV file, with commas and a header, in UTF-8; or a Parquet file.

    Raises:
        UserError: the file is neither, cannot be read, or has no row.
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


def feature_columns(
    table: Table, columns: Sequence[str] | None, others: Collection[str]
) -> list[str]:
    """The columns of the input: `columns`, or all but `others`, which have another meaning.

    Raises:
        UserError: there is none, or one has another meaning: a model would be told the answer.
    """
    own = [str(name) for name in table.frame if name not in others]
    chosen = own if columns is None else list(columns)
    told = [name for name in chosen if name in others]
    if told or not chosen:
        raise UserError(
            f"{_INPUTS} has the label among the inputs" if told else f"{_INPUTS} names no column",
            f"some of {', '.join(own)}",
            ", ".join(chosen) or "none",
            f"take {', '.join(told)} out" if told else f"correct {_INPUTS}, or set it to null",
        )
    return chosen


def features(table: Table, columns: Sequence[str]) -> np.ndarray:
    """The inputs, shape (rows, columns), float32, in the table's own units.

    Raises:
        UserError: a cell is no finite number; it is named.
    """
    return np.stack([table.numbers(name, _INPUTS) for name in columns], axis=1).astype(np.float32)


def table_targets(
    table: Table,
    target: Target,
    label: str | Sequence[str],
    separator: str,
    classes: Sequence[str] | None,
) -> Targets:
    """Make the targets of a table's rows.

    Args:
        table: The table.
        target: 'class': `label` is a column of names or ids. 'labels': a column of names separated
            by `separator` (none in an empty cell), or columns of 0 and 1 named as the classes.
            'value': a column, or columns, of numbers.
        label: The column or columns.
        separator: Between the names of a cell.
        classes: Names in the order of their ids, or None for those that occur.

    Raises:
        UserError: a column is missing, `target` takes no such columns, or a cell has no label.
    """
    columns = [label] if isinstance(label, str) else list(label)
    if not columns or (target == "class" and len(columns) > 1):
        raise UserError(
            f"{_LABEL} does not fit dataset.target={target}",
            "one column for a class; one or several for labels and values",
            str(columns),
            f"correct {_LABEL}, or set dataset.target=labels",
        )
    if target == "value":
        numbers = [table.numbers(column, _LABEL) for column in columns]
        values = numbers[0] if isinstance(label, str) else np.stack(numbers, axis=1)
        return value_targets(values, table.place)
    if target == "labels" and not isinstance(label, str):
        if classes is not None and list(classes) != columns:
            raise UserError(
                f"dataset.classes names other classes than {_LABEL}",
                f"the names of the columns, {columns}, or null",
                str(list(classes)),
                "set dataset.classes=null",
            )
        flags = np.stack([table.numbers(column, _LABEL) for column in columns], axis=1)
        return flag_targets(flags, columns, table.place)
    if target == "class":
        return _one_class(table, columns[0], classes)
    texts = table.texts(columns[0], _LABEL)
    sets = [{name.strip() for name in text.split(separator)} - {""} for text in texts]
    return label_targets(sets, classes, table.place)


def _one_class(table: Table, column: str, classes: Sequence[str] | None) -> Targets:
    """Targets of a column of names, by way of its distinct cells where none is wrong."""
    import pandas as pd

    cells = table.frame.get(column)
    if cells is not None and isinstance(cells.dtype, pd.StringDtype):
        codes, distinct = pd.factorize(cells)
        if (codes >= 0).all():
            names = [str(name).strip() for name in distinct]
            with suppress(UserError):  # it would name a distinct cell, and not its row
                targets = class_targets(names, classes, table.place)
                return Targets(targets.values[codes], targets.spec)
    return class_targets(table.texts(column, _LABEL), classes, table.place)


def _read(file: Path) -> "pandas.DataFrame":
    import pandas as pd

    if file.suffix.lower() in (".parquet", ".pq"):
        return pd.read_parquet(file)
    if file.suffix.lower() != ".csv":
        raise ValueError(f"a file of kind '{file.suffix}'")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        return pd.read_csv(file, **CSV)
