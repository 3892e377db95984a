"""Load a CSV file into a new table of any database, with the key that makes reading by id quick.

Columns are whole numbers, numbers or texts, as their values are (007 is the number 7, and nothing
between two commas is NULL). Where the key tells rows apart it becomes the primary key, else an
index. For instance:

    .venv/bin/python scripts/load_csv.py rows.csv --url sqlite:///rows.db --table cells \\
        --key user_id x y
"""

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from reprise.cli import main as command
from reprise.datasets.sql.database import make_engine, parse_url, shown, with_password
from reprise.datasets.tables import csv_form
from reprise.errors import UserError

ROWS_AT_ONCE = 10_000
NUMBERS: dict[str, Any] = {"Int64": sa.BigInteger, "Float64": sa.Double, "boolean": sa.Boolean}


def read(file: Path, key: list[str]) -> pd.DataFrame:
    """Read the rows, in the order of their key.

    Raises:
        UserError: the file cannot be read, has no rows, or lacks a column of the key.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            form = csv_form(file)
            rows = pd.read_csv(
                file,
                sep=form.arguments["sep"],
                encoding=form.arguments["encoding"],
                decimal="," if form.has_commas else ".",
                dtype_backend="numpy_nullable",
                keep_default_na=False,
                na_values=[""],
                index_col=False,
            )
            rows.columns = [name or given for name, given in zip(form.header, rows, strict=True)]
    except (OSError, ValueError, Warning) as error:  # pandas's own errors are ValueErrors
        raise UserError(
            f"{file} cannot be read", "a CSV file, UTF-8, with a line of names", f"{error}",
            "correct the file",
        ) from error  # fmt: skip
    missing = [name for name in key if name not in rows]
    if missing or rows.empty:
        raise UserError(
            f"{file} has no column {missing[0]}" if missing else f"{file} has no rows",
            "columns for the key, and rows",
            f"columns {', '.join(rows)}; {len(rows)} rows",
            "correct --key, or the file",
        )
    return rows.sort_values(key, kind="stable")


def describe(rows: pd.DataFrame, name: str, key: list[str]) -> sa.Table:
    """The table that such rows need; its primary key keeps those of one id side by side."""
    is_primary = not rows[key].isna().to_numpy().any() and not rows.duplicated(key).any()
    columns: list[Any] = [
        sa.Column(
            sa.quoted_name(column, quote=True),
            _kind(rows[column]),
            nullable=not (is_primary and column in key),
        )
        for column in rows
    ]
    keys = [sa.quoted_name(column, quote=True) for column in key]
    mark = sa.PrimaryKeyConstraint(*keys) if is_primary else sa.Index(f"{name}_{key[0]}", *keys)
    return sa.Table(
        sa.quoted_name(name, quote=True), sa.MetaData(), *columns, mark,
        sqlite_with_rowid=not is_primary,
    )  # fmt: skip


def load(rows: pd.DataFrame, table: sa.Table, engine: sa.Engine, replace: bool) -> None:
    """Make the table and fill it, wholly or not at all; one that is replaced is gone before.

    Raises:
        UserError: it exists and is not to be replaced, or the database refuses.
    """
    content = rows.astype(object).where(rows.notna(), None)
    try:
        if sa.inspect(engine).has_table(table.name) and not replace:
            raise UserError(
                f"table {table.name} is in {shown(engine.url)} already",
                "the name of a table to make", f"--table {table.name}",
                "choose another name, or add --replace",
            )  # fmt: skip
        table.drop(engine, checkfirst=True)
        try:
            table.create(engine)
            with engine.begin() as connection:
                for at in range(0, len(content), ROWS_AT_ONCE):
                    part = content.iloc[at : at + ROWS_AT_ONCE]
                    connection.execute(table.insert(), part.to_dict("records"))
        except BaseException:
            table.drop(engine, checkfirst=True)
            raise
    except sa.exc.DBAPIError as error:
        raise UserError(
            f"the database {shown(engine.url)} refuses",
            "one that answers, and lets this user make tables",
            " ".join(map(str, (error.orig or error).args)),
            "correct --url, or the password in --password-variable",
        ) from error


def main(argv: list[str]) -> None:
    """Read the command line and load the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="CSV file with a line of names")
    parser.add_argument(
        "--url", required=True, help="sqlite:///FILE | mysql+mysqldb://USER@HOST/NAME"
    )
    parser.add_argument("--table", required=True, help="table to make")
    parser.add_argument("--key", nargs="+", required=True, help="columns, whose row it is first")
    parser.add_argument("--replace", action="store_true", help="replace a table of that name")
    parser.add_argument(
        "--password-variable", default="DB_PASSWORD", help="environment variable with the password"
    )
    options = parser.parse_args(argv)
    rows = read(options.file, options.key)
    url = with_password(parse_url(options.url), options.password_variable)
    load(rows, describe(rows, options.table, options.key), make_engine(url), options.replace)
    print(f"{len(rows)} rows are in table {options.table} of {shown(url)}")


def _kind(column: pd.Series) -> Any:
    if kind := NUMBERS.get(str(column.dtype)):
        return kind()
    return sa.String(int(column.str.len().max()) if column.notna().any() else 1)


if __name__ == "__main__":
    command.run(main, sys.argv[1:])
