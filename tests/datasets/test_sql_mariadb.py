"""The same matrices from a real MariaDB server, whatever happens to it on the way."""

import hashlib
import threading
import time
from contextlib import closing

import numpy as np
import pytest
import sqlalchemy as sa
from datasets.mariadb import PASSWORD, USER
from datasets.test_sql_matrix import dataset, write
from mlflow import MlflowClient
from tiny import reprise, short

from reprise.errors import UserError
from reprise.loading.loader import Loader

NUM_IDS = 300


def cells():
    """Non-square, with gaps, numbers that no decimal fraction has, and users without rows."""
    rng = np.random.default_rng(0)
    for user in range(NUM_IDS):
        for at in rng.permutation(35)[: 0 if user % 10 == 9 else 12].tolist():
            yield user, at % 7, at // 7, float(rng.normal())


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory):
    return write(tmp_path_factory.mktemp("sqlite") / "cells.db", list(cells()))


@pytest.fixture(scope="module")
def mariadb_url(mariadb):
    table(mariadb, "cells", "user_id INT, x INT, y INT, value DOUBLE", list(cells()))
    return mariadb.url()


@pytest.fixture
def ids(tmp_path):
    (tmp_path / "ids.txt").write_text("".join(f"{user}\n" for user in range(NUM_IDS)))
    return str(tmp_path / "ids.txt")


def table(server, name, schema, rows, key=", PRIMARY KEY (user_id, x, y)"):
    server.execute(f"CREATE OR REPLACE TABLE {name} ({schema}{key})", "cells")
    engine = sa.create_engine(server.url(), poolclass=sa.NullPool)
    marks = ", ".join(["%s"] * len(schema.split(", ")))
    with closing(engine.raw_connection()) as connection:
        connection.cursor().executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        connection.commit()


def both(sqlite_url, mariadb_url, **changes):
    return [dataset(url, size=[5, 7], **changes) for url in (sqlite_url, mariadb_url)]


def digest(data, indices, rngs=None):
    x, y = data.read_many(indices, rngs or [None] * len(indices))
    return hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()


def draws(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.choice(NUM_IDS, 16, replace=False) for _ in range(count)]


def test_batches_splits_and_scale_are_those_of_sqlite(sqlite_url, mariadb_url, ids):
    one, other = both(sqlite_url, mariadb_url, ids=ids, noise=0.5)
    assert [one.name(at) for at in range(NUM_IDS)] == [other.name(at) for at in range(NUM_IDS)]
    assert all((one.splits()[name] == own).all() for name, own in other.splits().items())
    assert one.learn(one.splits()["train"]) == other.learn(other.splits()["train"])
    assert [digest(one, batch) for batch in draws(20)] == [
        digest(other, batch) for batch in draws(20)
    ]


@pytest.mark.parametrize("method", ["processes", "threads"])
def test_the_loader_has_the_same_batches_whoever_makes_them(sqlite_url, mariadb_url, ids, method):
    def batches(data, workers):
        options = {"workers": workers, "use_multiprocessing": method == "processes"}
        indices = data.splits()["train"]
        with Loader(data, indices, split="train", seed=1, batch_size=16, **options) as loader:
            return [x.tobytes() + y.tobytes() for x, y in loader.batches(stop=30)]

    one, other = both(sqlite_url, mariadb_url, ids=ids, noise=0.5)
    assert batches(one, 0) == batches(other, 2)


def test_a_killed_connection_is_replaced(mariadb, sqlite_url, mariadb_url, ids):
    one, other = both(sqlite_url, mariadb_url, ids=ids)
    for batch in draws(3):
        assert digest(other, batch) == digest(one, batch)
        (connection,) = other._reader.database.rows("SELECT connection_id()", [])
        mariadb.execute(f"KILL {connection[0]}")


def test_a_restart_of_the_server_in_mid_epoch_changes_no_batch(
    mariadb, sqlite_url, mariadb_url, ids
):
    one, other = both(sqlite_url, mariadb_url, ids=ids)
    batches = draws(60)
    thread = threading.Timer(0.05, lambda: mariadb.restart(0.5))
    thread.start()
    found = []
    for batch in batches:
        found.append(digest(other, batch))
        time.sleep(0.02)
    thread.join()
    assert found == [digest(one, batch) for batch in batches]


def test_a_server_that_stays_away_is_named(mariadb, mariadb_url):
    data = dataset(mariadb_url, size=[5, 7], retry_s=0.5)
    data.read(0, None)
    mariadb.stop()
    try:
        with pytest.raises(UserError) as caught:
            data.read(0, None)
    finally:
        mariadb.start()
    assert f"mysql+mysqldb://root@localhost/cells?unix_socket={mariadb.socket}" in str(caught.value)
    assert "dataset.retry_s=0.5" in str(caught.value)
    assert data.read(0, None)[0].any()


def test_the_password_comes_from_the_environment(mariadb, mariadb_url, monkeypatch):
    url = mariadb.url(USER)
    monkeypatch.setenv("MY_PASSWORD", PASSWORD)
    own = dataset(url, size=[5, 7], password_variable="MY_PASSWORD")
    assert (own.read(0, None)[0] == dataset(mariadb_url, size=[5, 7]).read(0, None)[0]).all()
    monkeypatch.setenv("MY_PASSWORD", "hunter2")
    with pytest.raises(UserError) as caught:
        dataset(url, size=[5, 7], password_variable="MY_PASSWORD")
    assert "Access denied for user 'reprise'@'localhost'" in str(caught.value)
    assert "export MY_PASSWORD=… (it is set)" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_option_file_may_have_user_and_password(mariadb, mariadb_url, tmp_path):
    lines = ["[client]", f"user={USER}", f'password="{PASSWORD}"', f"socket={mariadb.socket}"]
    (tmp_path / "my.cnf").write_text("\n".join(lines))
    url = f"mysql+mysqldb:///cells?read_default_file={tmp_path}/my.cnf"
    assert len(dataset(url, size=[5, 7])) == NUM_IDS - NUM_IDS // 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "mysql+mysqldb://me@no-such-host.invalid/db"}, "no-such-host.invalid"),
        ({"url": "mysql+mysqldb://me@127.0.0.1:1/db"}, "me@127.0.0.1:1/db"),
        ({"url": "mysql+mysqldb://me@127.0.0.1:1/db?nonsense=1"}, "nonsense"),
        ({"url": "{server}&nonsense=1"}, "nonsense"),
        ({"url": "{nowhere}"}, "Unknown database 'nowhere'"),
        ({"table": "cell"}, "did you mean cells?"),
        ({"table": "elsewhere.cells"}, "elsewhere"),
        ({"values": ["vale"]}, "did you mean value?"),
    ],
)
def test_what_cannot_be_reached_or_found_is_named(mariadb, mariadb_url, changes, said):
    settings = {"url": "{server}", **changes}
    nowhere = mariadb.url(database="nowhere")
    settings["url"] = settings["url"].format(server=mariadb_url, nowhere=nowhere)
    with pytest.raises(UserError) as caught:
        dataset(size=[5, 7], **settings)
    assert said in str(caught.value)


def test_a_schema_may_stand_before_the_table(mariadb, mariadb_url):
    data = dataset(mariadb.url(database=""), table="cells.cells", size=[5, 7])
    assert (data.read(0, None)[0] == dataset(mariadb_url, size=[5, 7]).read(0, None)[0]).all()


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({"duplicates": "sum", "nulls": "zero", "outside": "drop"}, [7.5, 0.25]),
        ({"duplicates": "last", "order": "at", "nulls": "zero", "outside": "drop"}, [4.5, 0.25]),
    ],
)
def test_policies_are_the_same_on_both(mariadb, tmp_path, changes, total):
    rows = [(1, 0, 0, 1, None), (1, 0, 0, 4.5, 9), (1, 0, 0, 2, 8), (1, 9, 0, 5, 0),
            (1, None, 0, 5, 0), (2, 0, 0, 0.25, 1), (2, 1, 0, None, 1)]  # fmt: skip
    url = write(tmp_path / "a.db", rows, "user_id, x, y, value, at", key="")
    schema = "user_id INT, x INT, y INT, value DECIMAL(9,2), at INT"
    table(mariadb, "policies", schema, rows, key="")
    for data in (
        dataset(url, size=[2, 2], **changes),
        dataset(mariadb.url(), table="policies", size=[2, 2], **changes),
    ):
        x, _ = data.read_many(np.array([0, 1]), [None, None])
        assert x.sum(axis=(1, 2, 3)).tolist() == total


def test_texts_of_every_script_are_ids(mariadb):
    rows = [("ünal", 0, 0, 1), ("한국", 0, 0, 2), ("a'b\\", 0, 0, 3)]
    schema = "user_id VARCHAR(9), x INT, y INT, value INT"
    table(mariadb, "texts", schema, rows)
    data = dataset(mariadb.url(), table="texts", size=[1, 1])
    assert [data.name(at) for at in range(3)] == [
        "user_id=a'b\\",
        "user_id=ünal",
        "user_id=한국",
    ]
    assert data.read_many(np.arange(3), [None] * 3)[0].ravel().tolist() == [3, 1, 2]


def test_texts_that_only_the_server_takes_for_equal_are_refused(mariadb):
    schema = "user_id VARCHAR(9) COLLATE utf8mb4_general_ci, x INT, y INT, value INT"
    table(mariadb, "cases", schema, [("anna", 0, 0, 1), ("Anna", 1, 0, 2)])
    with pytest.raises(UserError, match="compare them binary"):
        dataset(mariadb.url(), table="cases").read(0, None)


def test_a_server_s_rows_have_a_stamp(mariadb):
    schema = "user_id INT, x INT, y INT, value INT"
    stamps = []
    for value in (1, 1, 2):
        table(mariadb, "stamped", schema, [(1, 0, 0, value)])
        data = dataset(mariadb.url(), table="stamped")
        assert data.sources == ()
        stamps.append(data.stamp)
    assert stamps[0] == stamps[1] != stamps[2]


@pytest.mark.slow
def test_sqlite_and_mariadb_end_in_the_same_weights(
    mariadb, sqlite_url, mariadb_url, ids, tmp_path
):
    """Trained as a user would; and a password that was in the URL is in nothing that is kept."""
    secret = PASSWORD.replace("/", "%2F").replace("@", "%40")
    server = mariadb.url(USER).replace(f"{USER}@", f"{USER}:{secret}@")
    own = ["dataset.table=cells", "dataset.size=[5,7]", f"dataset.ids={ids}", "loader.workers=0"]
    words = [
        [f'dataset.url="{url}"', *own, "dataset.bounds=null", *short(tmp_path / name)]
        for name, url in (("sqlite", sqlite_url), ("mariadb", server))
    ]
    done = [reprise("train", "experiment=denoise", *own) for own in words]
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    runs = []
    for name in ("sqlite", "mariadb"):
        runs += MlflowClient(f"sqlite:///{tmp_path}/{name}/mlflow.db").search_runs(["1"])
    tags = [run.data.tags for run in runs]
    assert tags[0]["weights_sha256"] == tags[1]["weights_sha256"]
    assert tags[0]["data.digest"] != tags[1]["data.digest"]
    kept = [path for path in (tmp_path / "mariadb").rglob("*") if path.is_file()]
    assert len(kept) > 5
    for path in kept:
        assert PASSWORD.encode() not in path.read_bytes(), path
        assert secret.encode() not in path.read_bytes(), path
    again = reprise("evaluate", "run=last", f"runs={tmp_path}/mariadb/runs")
    assert again.returncode == 2
    assert "export DB_PASSWORD=…" in again.stderr
