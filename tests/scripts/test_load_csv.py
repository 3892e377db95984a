"""A CSV file into a table of SQLite and of a real MariaDB server, and read back as a user would."""

import importlib.util
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from datasets.mariadb import PASSWORD, USER

from reprise.datasets.sql_matrix import SqlMatrix
from reprise.errors import UserError

SCRIPT = Path(__file__).parents[2] / "scripts/load_csv.py"
KEY = ["--key", "user_id", "x", "y"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def file(tmp_path):
    rows = [f"ü{user},{x},{y},{user + x / 4},{y or ''}"
            for user in range(3, 0, -1) for x in range(3) for y in range(2)]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(["user_id,x,y,value,other", *rows]) + "\n")
    return tmp_path / "a.csv"


def opened(url, **changes):
    return SqlMatrix(
        url, "cells", [2, 3], {"key": "user_id", "row": "y", "column": "x"}, ["value", "other"],
        {"train": 0.5, "valid": 0.5, "test": None}, nulls="zero", **changes,
    )  # fmt: skip


def test_the_rows_of_a_file_are_in_sqlite_and_in_mariadb(
    script, file, tmp_path, mariadb, monkeypatch, capsys
):
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    urls = [f"sqlite:///{tmp_path}/a.db", mariadb.url(USER)]
    batches = []
    for url in urls:
        words = [str(file), "--url", url, "--table", "cells", *KEY, "--replace"]
        script.main(words)
        script.main(words)
        assert f"18 rows are in table cells of {url}" in capsys.readouterr().out
        data = opened(url)
        assert data.check(np.arange(3)) == []
        assert not data.notes, "the key serves as an index"
        batches.append(data.read_many(np.arange(3), [None] * 3)[0])
    assert (batches[0] == batches[1]).all()
    assert batches[0][2, 1, 2].tolist() == [3.5, 1]
    assert batches[0][2, 0, 2].tolist() == [3.5, 0]
    mariadb.execute("DROP TABLE cells.cells")


def schema(path):
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return " ".join(" ".join(text for (text,) in found).split())


def test_rows_that_belong_together_lie_together(script, file, tmp_path):
    script.main([str(file), "--url", f"sqlite:///{tmp_path}/a.db", "--table", "cells", *KEY])
    assert schema(tmp_path / "a.db") == (
        'CREATE TABLE "cells" ( "user_id" VARCHAR(2) NOT NULL, "x" BIGINT NOT NULL, '
        '"y" BIGINT NOT NULL, "value" DOUBLE, "other" BIGINT, '
        'PRIMARY KEY ("user_id", "x", "y") ) WITHOUT ROWID'
    )


@pytest.mark.parametrize("row", ["ü1,0,0,5,6", "ü1,,0,5,6"])
def test_where_the_key_does_not_tell_rows_apart_there_is_an_index(script, file, tmp_path, row):
    file.write_text(file.read_text() + row + "\n")
    url = f"sqlite:///{tmp_path}/a.db"
    script.main([str(file), "--url", url, "--table", "cells", *KEY])
    assert 'CREATE INDEX cells_user_id ON "cells" ("user_id", "x", "y")' in schema(
        tmp_path / "a.db"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.csv", *KEY], "none.csv cannot be read"),
        (["empty.csv", *KEY], "empty.csv cannot be read"),
        (["names.csv", *KEY], "names.csv has no rows"),
        (["a.csv", "--key", "user"], "a.csv has no column user"),
        (["a.csv", *KEY, "--url", "sqlite:///no/folder/a.db"], "unable to open database file"),
        (["a.csv", *KEY, "--url", "mysql+mysqldb://me:hunter2@127.0.0.1:1/db"], "me@127.0.0.1:1"),
        (["a.csv", *KEY, "--table", "there"], "table there is in sqlite:///there.db already"),
    ],
)
def test_what_cannot_be_loaded_leaves_everything_as_it_was(
    script, file, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "names.csv").write_text("user_id,x,y,value\n")
    with closing(sqlite3.connect("there.db")) as connection:
        connection.execute("CREATE TABLE there (a)")
    before = Path("there.db").read_bytes()
    given = ["--url", "sqlite:///there.db", "--table", "cells"]
    with pytest.raises(UserError) as caught:
        script.main([words[0], *given, *words[1:]])
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert Path("there.db").read_bytes() == before


def test_a_load_that_fails_half_way_leaves_no_table(script, file, tmp_path, mariadb):
    """A key of more characters than MariaDB's index takes is refused by the server itself."""
    file.write_text(file.read_text() + "u" * 2000 + ",0,0,1,1\n")
    with pytest.raises(UserError, match="key was too long"):
        script.main([str(file), "--url", mariadb.url(), "--table", "long", *KEY])
    with pytest.raises(UserError, match="there is no table cells"):
        opened(mariadb.url())


@pytest.mark.parametrize("text", ["user_id,x,y,x\n1,2,3,4\n", "user_id,x,y\n1,2,3,4\n"])
def test_a_header_that_does_not_fit_its_rows_is_refused(script, tmp_path, text):
    """pandas would rename the second x, and take the first cell of a longer row for its number."""
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=r"a.csv cannot be read"):
        script.read(tmp_path / "a.csv", ["user_id", "x", "y"])
