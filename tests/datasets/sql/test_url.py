import pickle

import pytest

from reprise.datasets.sql.connection import Database
from reprise.datasets.sql.url import make_engine, parse_url, readable, shown, with_password
from reprise.errors import UserError

PLAIN = "mysql+mysqldb://me@host:3307/db?unix_socket=/run/s"


@pytest.fixture(autouse=True)
def no_password(monkeypatch):
    monkeypatch.delenv("DB_PASSWORD", raising=False)


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


def test_a_broken_url_is_not_shown_at_all():
    with pytest.raises(UserError) as caught:
        parse_url("mysql//me:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", ["password", "passwd"])
def test_a_password_is_no_option(option):
    with pytest.raises(UserError) as caught:
        parse_url(f"mysql+mysqldb://me@host/db?{option}=hunter2")
    assert "hunter2" not in str(caught.value)


def test_the_password_comes_from_the_url_or_the_environment(monkeypatch):
    own = parse_url("mysql+mysqldb://me:own@host/db")
    none = parse_url("mysql+mysqldb://me@host/db")
    recorded = parse_url("mysql+mysqldb://me:***@host/db")
    assert with_password(none, "DB_PASSWORD").password is None
    monkeypatch.setenv("DB_PASSWORD", "p@ss/word")
    assert with_password(own, "DB_PASSWORD").password == "own"
    assert with_password(none, "DB_PASSWORD").password == "p@ss/word"
    assert with_password(recorded, "DB_PASSWORD").password == "p@ss/word"


def test_a_masked_password_says_what_to_do():
    with pytest.raises(UserError) as caught:
        with_password(parse_url("mysql+mysqldb://me:***@host/db"), "MY_PASSWORD")
    assert "export MY_PASSWORD=…" in str(caught.value)


def test_the_password_of_the_environment_is_not_pickled(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    pickled = pickle.dumps(Database("mysql+mysqldb://me@host/db", "DB_PASSWORD", 1.0))
    assert b"hunter2" not in pickled


def test_a_server_is_read_as_utf8_and_given_up_after_a_while():
    url = readable(parse_url("mysql+mysqldb://me@host/db"))
    assert dict(url.query) == {"charset": "utf8mb4", "connect_timeout": "10"}
    own = readable(parse_url("mysql+mysqldb://me@host/db?charset=latin1&connect_timeout=3"))
    assert dict(own.query) == {"charset": "latin1", "connect_timeout": "3"}
    assert dict(readable(parse_url("mariadb+pymysql://host/db")).query) == dict(url.query)
    assert dict(readable(parse_url("postgresql+psycopg://host/db")).query) == {
        "connect_timeout": "10"
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nosql://me:hunter2@host/db", "no kind of database is called 'nosql'"),
        ("postgresql+asyncpg://me:hunter2@host/db", ".venv/bin/pip install asyncpg"),
    ],
)
def test_what_cannot_be_spoken_to(text, said):
    with pytest.raises(UserError) as caught:
        make_engine(parse_url(text))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
