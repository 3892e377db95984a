"""Tables of samples, in CSV or Parquet: columns by name, every mistake with its line.

A cell is its text in the file without surrounding spaces; an empty one is missing, and "NA" and
"None" are names like any other. Names of columns have no surrounding spaces. Rows without any cell
are left out.
"""

import codecs
import difflib
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reprise.datasets.precision import require_apart
from reprise.datasets.splits import seen
from reprise.datasets.targets import (
    Target,
    Targets,
    class_targets,
    flag_targets,
    label_targets,
    more_rows,
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
_TABS = (".tsv", ".txt")  # endings of tables with tabs between the cells
_INPUTS, _LABEL = "dataset.columns", "dataset.label"  # config keys
# What pandas calls a column without a name, and the number of a row that it has written.
_NAMELESS = re.compile(r"(Unnamed: \d+(_level_\d+)?(\.\d+)*|__index_level_\d+__)?")
_BOOLEANS = {"true": 1.0, "false": 0.0}
_HEAD = 1000  # rows of a CSV file by which it is seen how numbers are written
_MANY = 20  # classes, more than which are seldom half as many as rows
_MISSING = {"na", "n/a", "nan", "null", "none", "<na>", "#n/a"}  # as other tools write it
_FORMS = {
    ".xlsx": "Excel", ".xls": "Excel", ".xlsm": "Excel", ".xlsb": "Excel", ".ods": "LibreOffice",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """The rows of a table, or some of them; a dataset reads it when constructed and keeps it not.

    Methods take the name of a column, and the config key that gave it, for errors; they raise a
    UserError if there is no such column.

    Args:
        file: The file.
        frame: The rows; its index has their numbers in the file, from 0.
        notes: What is not read, and what was assumed, a line each.
        has_commas: Numbers have a decimal comma, and no point.
    """

    file: Path
    frame: "pandas.DataFrame"
    notes: list[str] = field(default_factory=list)
    has_commas: bool = False

    def __len__(self) -> int:
        return len(self.frame)

    def place(self, at: int) -> str:
        """Name a row, for errors."""
        return row_place(self.file, int(self.frame.index[at]))

    def texts(self, column: str, key: str) -> list[str]:
        """The cells of a column as text; '' for a missing one."""
        cells = self._cells(column, key)
        texts = cells.astype(object).where(cells.notna(), "")
        if cells.dtype == object:
            # Some writers of Parquet store text as bytes.
            texts = texts.map(lambda cell: cell.decode() if isinstance(cell, bytes) else cell)
            if any(isinstance(cell, dict) or np.ndim(cell) > 0 for cell in texts):
                what, remedy = f"{key}: column '{column}' of {self.file} holds lists", "join each"
                raise UserError(what, "text or numbers", "lists", f"{remedy}, as 'a|b'")
        return texts.astype(str).str.strip().tolist()

    def _cells(self, column: str, key: str) -> "pandas.Series":
        if column not in self.frame:
            names = [str(name) for name in self.frame]
            near = difflib.get_close_matches(column, names, n=1)
            raise UserError(
                f"{key}: {self.file} has no column '{column}'",
                f"one of {', '.join(names)}",
                f"'{column}'",
                f"did you mean {key}={near[0]}?" if near else f"correct {key}, or the header",
            )
        return self.frame[column]

    def present(self, column: str, key: str) -> list[str]:
        """As `texts`, with a UserError for an empty cell."""
        texts = self.texts(column, key)
        if empty := [at for at, text in enumerate(texts) if not text]:
            what = f"{self.place(empty[0])}: nothing stands in column '{column}'"
            received = f"an empty cell{more_rows(self.place, empty)}"
            remedy = "fill it in, or take the line out"
            raise UserError(what, f"text in every row ({key})", received, remedy)
        return texts

    def groups(self, column: str, key: str) -> list[str]:
        """As `present`; texts that differ in case or Unicode form alone are one group."""
        first: dict[str, str] = {}
        return [first.setdefault(seen(text).casefold(), text) for text in self.present(column, key)]

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
        """The cells of a column as finite numbers, shape (rows,), with a UserError for another.

        Whole numbers of Parquet are int64 or uint64, others float64. Where all cells are true or
        false, these are 1 and 0.
        """
        import pandas as pd

        cells = self._cells(column, key)
        if pd.api.types.is_integer_dtype(cells.dtype) and cells.notna().all():
            is_unsigned = pd.api.types.is_unsigned_integer_dtype(cells.dtype)
            return cells.to_numpy(np.uint64 if is_unsigned else np.int64)
        if pd.api.types.is_bool_dtype(cells.dtype) and cells.notna().all():
            return cells.to_numpy(np.float64)
        if isinstance(cells.dtype, pd.StringDtype) and not self.has_commas:
            with suppress(ValueError):  # Arrow's errors are; clean text is read 100 times faster
                values = cells.astype("double[pyarrow]").to_numpy()
                if values.dtype == np.float64 and np.isfinite(values).all():
                    return values
        texts = self.texts(column, key)
        plain = pd.Series(texts, dtype=object)
        if self.has_commas:  # a point beside it would separate thousands
            plain = plain.str.replace(".", "x", regex=False).str.replace(",", ".", regex=False)
        values = pd.to_numeric(plain, errors="coerce").to_numpy(float)
        if {text.lower() for text in texts} - {""} <= _BOOLEANS.keys():
            values = np.array([_BOOLEANS.get(text.lower(), np.nan) for text in texts])
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            at = int(wrong[0])
            what = f"{self.place(at)}: no number stands in column '{column}'"
            received = f"'{texts[at]}'" if texts[at] else "an empty cell"
            received += more_rows(self.place, wrong.tolist())
            remedy = "correct it, or take the line out"
            if key == _INPUTS:
                remedy += "; a column that is no input is left out by dataset.columns=[…]"
            raise UserError(what, f"a finite number in every row ({key})", received, remedy)
        return values

    def values(self, columns: Sequence[str], key: str) -> np.ndarray:
        """Columns of numbers as float32, shape (rows, columns).

        Raises:
            UserError: a cell is no number, or float32 merges the numbers of a column.
        """
        found = []
        for column in columns:
            numbers = self.numbers(column, key)
            name = f"column '{column}' of {self.file}"
            more = f"; or leave the column out: {key}=[…]" if key == _INPUTS else ""
            if lost := require_apart(numbers, f"{key}: the numbers in {name}", more):
                self.notes.append(f"{name}: {lost}")
            found.append(numbers.astype(np.float32))
        return np.stack(found, axis=1)


def row_place(file: Path, row: int) -> str:
    """Name a row, numbered from 0, as an editor does: line 1 of a CSV is the header."""
    is_text = file.suffix.lower() in (".csv", *_TABS)
    return f"{file}, line {row + 2}" if is_text else f"{file}, row {row + 1}"


def read_table(path: str, key: str) -> Table:
    """Read a CSV file with a header, in UTF-8 or UTF-16; one with tabs; or a Parquet file.

    Where no comma stands in the header, semicolons, tabs or bars separate the cells.

    Raises:
        UserError: the file is neither, cannot be read, names a column twice, or has no row.
    """
    file = Path(path)
    with readable(file, key):
        table = _read(file)
    if not len(table):
        remedy = f"correct {key}, or fill the table"
        raise UserError(f"{key}: {file} has no row", "a sample in each row", "a header", remedy)
    return table


@contextmanager
def readable(file: Path, key: str) -> Iterator[None]:
    """Turn errors of pandas and Arrow into a UserError."""
    try:
        yield
    except (OSError, ValueError, Warning) as error:  # pandas's and Arrow's errors are ValueErrors
        program = _FORMS.get(file.suffix.lower())
        if isinstance(error, UnicodeDecodeError):
            remedy = f"save {file.name} in UTF-8 (Excel: 'CSV UTF-8'; iconv -f LATIN1 -t UTF-8)"
        elif program:
            remedy = (
                f"open it in {program}, save the sheet as 'CSV UTF-8 (comma delimited)', and set "
                f"{key} to that file"
            )
        elif isinstance(error, Warning):
            remedy = "take out what stands beyond the header, or put cells with a comma in quotes"
        else:
            remedy = f"correct {key}, or the file"
        raise UserError(
            f"{key}: {file} cannot be read",
            "a CSV file with commas and a header, in UTF-8, or a Parquet file",
            str(error).strip(),
            remedy,
        ) from error


@dataclass(frozen=True)
class CsvForm:
    """How a file of text is written: Excel separates by semicolons where the comma is decimal.

    Args:
        header: The names in its first line, without surrounding spaces.
        arguments: Of `pandas.read_csv`.
        has_commas: Whether numbers have a decimal comma.
    """

    header: list[str]
    arguments: dict[str, Any]
    has_commas: bool = False

    @property
    def notes(self) -> list[str]:
        """What was assumed."""
        comma = "; a comma in a number is its decimal point" if self.has_commas else ""
        return [f"{self.arguments['sep']!r} separates its cells{comma}"] if comma else []


def csv_form(file: Path) -> CsvForm:
    """Find out how a file of text is written, by its first bytes, its header and 1000 rows.

    Raises:
        ValueError: a name stands in its header twice.
    """
    import pandas as pd

    with file.open("rb") as opened:
        is_wide = opened.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    arguments = CSV | {"sep": "\t" if file.suffix.lower() in _TABS else ","}
    arguments |= {"encoding": "utf-16"} if is_wide else {}
    first = {"header": None, "nrows": 1}
    (header,) = pd.read_csv(file, **first, **arguments).to_numpy().tolist() or [[]]
    if len(header) == 1 and (marks := [mark for mark in ";\t|" if mark in header[0]]):
        arguments["sep"] = marks[0]
        (header,) = pd.read_csv(file, **first, **arguments).to_numpy().tolist()
    head = pd.read_csv(file, nrows=_HEAD, **arguments) if arguments["sep"] == ";" else None
    has_commas = head is not None and any(
        column.str.strip().str.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?").any()
        for _, column in head.items()
    )
    return CsvForm(_distinct_names(header), arguments, bool(has_commas))


def tidy(frame: "pandas.DataFrame", header: Sequence[str]) -> "pandas.DataFrame":
    """Rows of a CSV file under the names of its header, without rows whose cells are all empty."""
    frame.columns = [name or given for name, given in zip(header, frame, strict=True)]
    is_blank = frame.iloc[:, 0].fillna("").str.strip() == ""
    if is_blank.any():
        cells = frame[is_blank].fillna("")
        is_blank[is_blank] = (cells.apply(lambda column: column.str.strip()) == "").all(axis=1)
    return frame[~is_blank] if is_blank.any() else frame


def csv_table(file: Path, frame: "pandas.DataFrame", form: CsvForm) -> Table:
    """Rows of a CSV file."""
    notes = [f"{file}: {note}" for note in form.notes]
    return Table(file, tidy(frame, form.header), notes, form.has_commas)


def parquet_table(file: Path, frame: "pandas.DataFrame", first: int = 0) -> Table:
    """Rows of a Parquet file, `first` the number of the first in it.

    Raises:
        ValueError: two columns have one name.
    """
    notes = [
        f"the index '{name}' of {file} is not read; pandas's reset_index makes it a column"
        for name in frame.index.names
        if name is not None
    ]
    frame = frame.reset_index(drop=True)
    frame.index += first
    frame.columns = _distinct_names(frame.columns)
    return Table(file, frame, notes)


def feature_columns(
    table: Table, columns: Sequence[str] | None, others: Collection[str]
) -> list[str]:
    """The columns of the input: `columns`, or all with a name but `others`, which mean otherwise.

    A column without a name, or one that numbers the rows, is mentioned in `table.notes`.

    Raises:
        UserError: there is none, or one has another meaning: a model would be told the answer.
    """
    names = [str(name) for name in table.frame if name not in others]
    own = [name for name in names if not _NAMELESS.fullmatch(name)]
    chosen = own if columns is None else list(columns)
    told = [name for name in chosen if name in others]
    if told or not chosen:
        raise UserError(
            f"{_INPUTS} has the label among the inputs" if told else f"{_INPUTS} names no column",
            f"some of {', '.join(own)}",
            ", ".join(chosen) or "none",
            f"take {', '.join(told)} out" if told else f"correct {_INPUTS}, or set it to null",
        )
    if twice := sorted({name for name in chosen if chosen.count(name) > 1}):
        what, remedy = f"{_INPUTS} names '{twice[0]}' twice", "take one out"
        raise UserError(what, "each column once", ", ".join(chosen), remedy)
    if columns is None and len(own) < len(names):
        without = len(names) - len(own)
        table.notes.append(
            f"{without} column(s) of {table.file} have no name and are not read: "
            "the number of the row, as pandas writes it, or an empty cell in the header"
        )
    return chosen


def features(table: Table, columns: Sequence[str]) -> np.ndarray:
    """The inputs, shape (rows, columns), float32, in the table's own units.

    A column that numbers the rows is mentioned in `table.notes`.

    Raises:
        UserError: a cell is no finite number, or float32 merges a column's; it is named.
    """
    values = table.values(columns, _INPUTS)
    count = np.arange(len(values))
    for column, cells in zip(columns, values.T, strict=True):
        first = cells.min()
        if len(count) > 2 and first in (0, 1) and np.array_equal(np.sort(cells), first + count):
            table.notes.append(
                f"column '{column}' counts the rows, {first:.0f} to {cells.max():.0f}, and is an "
                f"input; {_INPUTS}=[…] without it leaves it out"
            )
    return values


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
        values = table.values(columns, _LABEL)
        targets = value_targets(values[:, 0] if isinstance(label, str) else values, table.place)
        return replace(targets, spec=replace(targets.spec, names=tuple(columns)))
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
        targets = _one_class(table, columns[0], classes)
    else:
        texts = table.texts(columns[0], _LABEL)
        sets = [{name.strip() for name in text.split(separator)} - {""} for text in texts]
        targets = label_targets(sets, classes, table.place)
    found, rows = len(targets.spec.classes), len(table)
    if classes is None and found > max(_MANY, rows // 2):
        table.notes.append(
            f"column '{columns[0]}' has {found} classes in {rows} rows; dataset.target=value takes "
            "numbers for values"
        )
    for name in targets.spec.classes if classes is None else ():
        if name.lower() in _MISSING:
            table.notes.append(
                f"'{name}' in column '{columns[0]}' is taken for the name of a class; where it "
                "stands for a label that is not known, take the rows out"
            )
    return targets


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


def _distinct_names(header: Iterable[object]) -> list[str]:
    names = [str(name).strip() for name in header]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ValueError(f"a header with the name '{twice[0]}' twice: {', '.join(names)}")
    return names


def _read(file: Path) -> Table:
    import pandas as pd

    if file.suffix.lower() in (".parquet", ".pq"):
        return parquet_table(file, pd.read_parquet(file))
    if file.suffix.lower() not in (".csv", *_TABS):
        raise ValueError(f"a file of kind '{file.suffix}'")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        form = csv_form(file)  # says what is wrong where the rows do not fit it
        return csv_table(file, pd.read_csv(file, **form.arguments), form)
