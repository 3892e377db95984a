"""A MariaDB server with the table of cells while it is measured, made as the tests make it."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from scripts.bench import data


@contextmanager
def filled_server(ids: int, side: int, rows: int) -> Iterator[str]:
    """Start a server of our own, without network, and fill it; gives its URL.

    Raises:
        RuntimeError: there is no server on this machine; the message says how to have it.
        ImportError: there is no mysqlclient.
    """
    import MySQLdb  # noqa: F401 - first, since its absence is found sooner

    from tests.datasets.mariadb import Server

    server = Server()
    try:
        server.execute("SET GLOBAL innodb_buffer_pool_size = 512 * 1024 * 1024")
        columns = "user_id INT, x INT, y INT, value INT, PRIMARY KEY (user_id, x, y)"
        server.execute(f"CREATE TABLE cells ({columns})", "cells")
        engine = sa.create_engine(server.url(), poolclass=sa.NullPool)
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver
            words = "INSERT INTO cells VALUES (%s, %s, %s, %s)"
            driver.cursor().executemany(words, data.cells(ids, side, rows))
            driver.commit()
        server.execute("ANALYZE TABLE cells", "cells")
        yield server.url()
    finally:
        server.remove()
