"""What the blog post on databases does: one query for a batch, and a Python loop over its rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np


def orders(count: int, batch_size: int) -> Iterator[np.ndarray]:
    """Places of one batch after the other, in a new order in each pass; without short ones."""
    rng = np.random.default_rng(0)
    while True:
        order = rng.permutation(count)
        for at in range(0, count - batch_size + 1, batch_size):
            yield order[at : at + batch_size]


def cells(source: str, dataset: Any, batch_size: int) -> Iterator[np.ndarray]:
    """One query for a batch, its ids written into it, and its rows fetched one by one."""
    fetch = _mariadb_rows(source) if "://" in source else _sqlite_rows(source)
    shape = dataset.input_spec.shape[:2]
    for batch in orders(len(dataset), batch_size):
        ids = ",".join(map(str, batch.tolist()))
        matrices: dict[str, np.ndarray] = {}
        query = f"SELECT user_id, x, y, value FROM cells WHERE user_id IN ( {ids} )"
        for user, x, y, value in fetch(query):
            if user not in matrices:
                matrices[user] = np.zeros(shape)
            matrices[user][x][y] = value
        yield np.array([matrix[..., np.newaxis] for matrix in matrices.values()])


def _mariadb_rows(source: str) -> Any:
    import sqlalchemy as sa
    from MySQLdb import _mysql

    url = sa.make_url(source)
    connection = _mysql.connect(
        user=url.username, database=url.database, unix_socket=url.query["unix_socket"]
    )

    def fetch(query: str) -> Iterator[tuple[str, int, int, int]]:
        connection.query(query)
        result = connection.store_result()
        for _ in range(result.num_rows()):
            user, x, y, value = (cell.decode() for cell in result.fetch_row()[0])
            yield user, int(x), int(y), int(value)

    return fetch


def _sqlite_rows(source: str) -> Any:
    import sqlite3

    connection = sqlite3.connect(f"{source}/cells.sqlite")

    def fetch(query: str) -> Iterator[tuple[str, int, int, int]]:
        for user, x, y, value in connection.execute(query):
            yield str(user), int(x), int(y), int(value)

    return fetch
