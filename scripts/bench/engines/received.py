"""What a database gives at most: the rows of a batch received, and none of them decoded."""

import sqlite3
from typing import Any

import sqlalchemy as sa

from reprise.loading.order import Order
from scripts.bench.meter import Meter
from scripts.bench.works import Work

QUERY = "SELECT user_id, x, y, value FROM cells WHERE user_id IN ({})"


def run(engine: str, work: Work, dataset: Any, workers: int, meter: Meter, source: str) -> None:
    """Ask for batch after batch of ids, on one connection."""
    order = Order(dataset.splits()["train"], split="train", seed=0, batch_size=work.batch_size)
    receive = _mariadb(source) if "://" in source else _sqlite(source)
    for plan in order.plans(0, None):
        receive(QUERY.format(",".join(map(str, plan.indices.tolist()))))
        meter.batch(len(plan.indices))


def _mariadb(source: str) -> Any:
    import MySQLdb

    url = sa.make_url(source)
    connection = MySQLdb.connect(
        user=url.username or "", database=url.database or "", unix_socket=url.query["unix_socket"]
    )

    def receive(query: str) -> None:
        connection.query(query)
        connection.store_result()

    return receive


def _sqlite(source: str) -> Any:
    connection = sqlite3.connect(f"{source}/cells.sqlite")

    def receive(query: str) -> None:
        # A sum has SQLite visit every row, and makes one Python object.
        connection.execute(f"SELECT sum(user_id + x + y + value) FROM ({query})").fetchall()

    return receive
