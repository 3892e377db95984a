"""Connections: when they open, what replaces a lost one, and URLs and errors without a password."""

import os
import pickle
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from reprise.datasets.sql.database import (
    Database,
    make_engine,
    parse_url,
    readable,
    shown,
    with_password,
)
from reprise.errors import UserError

PLAIN = "mysql+mysqldb://me@host:3307/db?unix_socket=/run/s"


@pytest.fixture(autouse=True)
def no_password(monkeypatch):
    monkeypatch.delenv("DB_PASSWORD", raising=False)


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE numbers (n)")
        connection.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(10)])
    return tmp_path / "a.db"


@pytest.fixture
def database(path):
    return Database(f"sqlite:///{path}", "DB_PASSWORD", 0.0)


def open_files(path: Path) -> int:
    """How often this process has the file open."""
    links = (os.path.realpath(one) for one in Path("/proc/self/fd").iterdir())
    return sum(link == str(path) for link in links)


def count(database):
    return list(database.rows("SELECT count(*) FROM numbers WHERE n < ?", [7]))


def test_a_connection_opens_at_first_use_and_is_kept_but_for_questions_about_tables(database, path):
    with database.connect() as connection:
        assert sa.inspect(connection).has_table("numbers")
    assert open_files(path) == 0
    assert count(database) == count(database) == [(7,)]
    assert open_files(path) == 1


def test_threads_never_share_a_connection_at_one_time(database, path):
    """A slow statement in one thread holds up no other, and each has its own rows."""
    barrier, results = threading.Barrier(3), {}

    def work(n):
        barrier.wait()
        for _ in range(100):
            rows = database.rows("SELECT n FROM numbers WHERE n = ?", [n])
            results.setdefault(n, set()).update(rows)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: {(n,)} for n in range(3)}
    assert 1 <= open_files(path) <= 3


def test_a_copy_has_a_connection_of_its_own(database, path):
    count(database)
    copy = pickle.loads(pickle.dumps(database))
    assert open_files(path) == 1
    assert count(copy) == [(7,)]
    assert open_files(path) == 2


def test_it_cannot_be_written_to(database):
    with pytest.raises(UserError, match=r"is lost[\s\S]*readonly"):
        database.rows("DELETE FROM numbers", [])


def test_a_statement_that_is_wrong_is_no_lost_connection(database):
    with pytest.raises(UserError, match="refuses"):
        database.rows("SELECT count(*) FROM numbers WHERE n < ?", [1, 2])


def test_a_mended_database_goes_on_where_it_was(path):
    """Within the time that is given for it, which a mended one needs little of."""
    database = Database(f"sqlite:///{path}", "DB_PASSWORD", 30.0)
    moved = path.with_name("moved")
    path.rename(moved)
    timer = threading.Timer(0.3, lambda: moved.rename(path))
    timer.start()
    assert count(database) == [(7,)]
    timer.join()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (PLAIN, PLAIN),
        ("mysql+mysqldb://me:a%40b@host/db?ssl_key=k", "mysql+mysqldb://me@host/db"),
        ("postgresql+psycopg://me:x@host/db", "postgresql+psycopg://me@host/db"),
        ("sqlite:///data/a b.db?timeout=9", "sqlite:///data/a b.db"),
    ],
)
def test_what_is_shown_has_no_password(text, seen):
    assert shown(parse_url(text)) == seen


@pytest.mark.parametrize(
    "text",
    [
        "mysql//me:hunter2@host/db",
        "mysql+mysqldb://me@host/db?password=hunter2",
        "mysql+mysqldb://me@host/db?passwd=hunter2",
    ],
)
def test_a_broken_url_and_a_password_among_the_options_are_refused_unseen(text):
    with pytest.raises(UserError) as caught:
        parse_url(text)
    assert "hunter2" not in str(caught.value)


def test_the_password_comes_from_the_url_or_the_environment(monkeypatch):
    own = parse_url("mysql+mysqldb://me:own@host/db")
    none = parse_url("mysql+mysqldb://me@host/db")
    recorded = parse_url("mysql+mysqldb://me:***@host/db")
    assert with_password(none, "DB_PASSWORD").password is None
    with pytest.raises(UserError, match="export MY_PASSWORD=…"):
        with_password(recorded, "MY_PASSWORD")
    monkeypatch.setenv("DB_PASSWORD", "p@ss/word")
    assert with_password(own, "DB_PASSWORD").password == "own"
    assert with_password(none, "DB_PASSWORD").password == "p@ss/word"
    assert with_password(recorded, "DB_PASSWORD").password == "p@ss/word"


def test_the_password_of_the_environment_is_not_pickled(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    database = Database("mysql+mysqldb://me@host/db", "DB_PASSWORD", 1.0)
    assert database.engine.url.password == "hunter2"
    assert b"hunter2" not in pickle.dumps(database)


def test_a_server_is_read_as_utf8_and_given_up_after_a_while():
    url = readable(parse_url("mysql+mysqldb://me@host/db"))
    assert dict(url.query) == {"charset": "utf8mb4", "connect_timeout": "10"}
    own = readable(parse_url("mysql+mysqldb://me@host/db?charset=latin1&connect_timeout=3"))
    assert dict(own.query) == {"charset": "latin1", "connect_timeout": "3"}
    assert dict(readable(parse_url("mariadb+pymysql://host/db")).query) == dict(url.query)
    psycopg = readable(parse_url("postgresql+psycopg://host/db"))
    assert dict(psycopg.query) == {"connect_timeout": "10"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nosql://me:hunter2@host/db", "no kind of database is called 'nosql'"),
        ("postgresql+asyncpg://me:hunter2@host/db", ".venv/bin/pip install asyncpg"),
    ],
)
def test_an_unknown_kind_of_database_and_a_missing_driver_are_refused(text, said):
    with pytest.raises(UserError) as caught:
        make_engine(parse_url(text))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
