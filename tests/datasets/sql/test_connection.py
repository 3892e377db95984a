"""One connection for each process and thread, and what is said where there is none."""

import multiprocessing
import os
import pickle
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from reprise.datasets.sql.connection import Database
from reprise.errors import UserError


def open_files(path: Path) -> int:
    """How often this process has the file open."""
    links = (os.path.realpath(one) for one in Path("/proc/self/fd").iterdir())
    return sum(link == str(path) for link in links)


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE numbers (n)")
        connection.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(10)])
    return tmp_path / "a.db"


@pytest.fixture
def database(path):
    return Database(f"sqlite:///{path}", "DB_PASSWORD", 0.0)


def count(database):
    return list(database.rows("SELECT count(*) FROM numbers WHERE n < ?", [7]))


def test_it_opens_at_first_use_once_for_each_thread_and_closes_with_its_owner(database, path):
    assert open_files(path) == 0
    assert count(database) == count(database) == [(7,)]
    assert open_files(path) == 1
    barrier, seen = threading.Barrier(3), []

    def work():
        count(database)
        barrier.wait()
        seen.append(open_files(path))
        barrier.wait()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    barrier.wait()
    barrier.wait()
    for thread in threads:
        thread.join()
    assert seen == [3, 3]
    assert open_files(path) == 1


def test_the_last_owner_closes_it(path):
    database = Database(f"sqlite:///{path}", "DB_PASSWORD", 0.0)
    count(database)
    del database
    assert open_files(path) == 0


def test_a_copy_has_a_connection_of_its_own(database, path):
    count(database)
    copy = pickle.loads(pickle.dumps(database))
    assert open_files(path) == 1
    assert count(copy) == [(7,)]
    assert open_files(path) == 2


def test_a_forked_child_opens_another(database, path):
    count(database)

    def child(pipe):
        count(database)
        pipe.send(open_files(path))

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    process.start()
    assert ours.recv() == 2  # the inherited one is left alone, and not closed
    process.join()
    assert count(database) == [(7,)]


def test_it_cannot_be_written_to(database):
    with pytest.raises(UserError, match="is lost") as caught:
        database.rows("DELETE FROM numbers", [])
    assert "readonly" in str(caught.value)


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
