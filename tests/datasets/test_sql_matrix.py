"""Matrices from rows, by values that can be counted on one's fingers; SQLite throughout."""

import json
import pickle
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from tiny import refused, short

from reprise.datasets.sql_matrix import SqlMatrix
from reprise.errors import UserError

SPLIT = {"train": 0.5, "valid": 0.25, "test": 0.25}
COLUMNS = {"key": "user_id", "row": "y", "column": "x"}
# The matrices of the seed's own example, of which the second has an x that no row of the first has.
SEED = [(1, 0, 0, 1), (1, 2, 0, 17), (1, 1, 1, 3), (1, 2, 2, -1), (2, 0, 2, 2), (2, 1, 1, 5),
        (2, 2, 2, 9)]  # fmt: skip


def write(path, rows, schema="user_id, x, y, value", key="PRIMARY KEY (user_id, x, y)"):
    """A SQLite file with one table `cells`; returns its URL."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE cells ({schema}{', ' + key if key else ''})")
        marks = ", ".join("?" * len(schema.split(", ")))
        connection.executemany(f"INSERT INTO cells VALUES ({marks})", rows)
    return f"sqlite:///{path}"


def dataset(url, **changes):
    settings = {"table": "cells", "size": [4, 4], "columns": COLUMNS, "values": ["value"]}
    return SqlMatrix(**{"url": url, "split": SPLIT, **settings, **changes})


def tiny(folder):
    """Twelve ids, three of them without rows; 3 by 5; two columns in, one out; noise."""
    rows = [
        (user, x, y, user + x, y - 0.5, user * x * y)
        for user in range(12)
        for x in range(5)
        for y in range(3)
        if user % 4 and (user + x + y) % 2
    ]
    url = write(folder / "tiny.db", rows, "user_id, x, y, a, b, c")
    (folder / "ids.txt").write_text("".join(f"{user}\n" for user in range(12)))
    return {
        "url": url,
        "table": "cells",
        "size": [3, 5],
        "values": ["a", "b"],
        "targets": ["c"],
        "ids": str(folder / "ids.txt"),
        "noise": 0.5,
        "split": SPLIT,
    }


def test_x_goes_to_the_right_and_y_down(tmp_path):
    data = dataset(write(tmp_path / "a.db", SEED))
    x, y = data.read_many(np.array([1, 0]), [None, None])
    assert x.dtype == y.dtype == np.float32
    second, first = x[..., 0].astype(int).tolist()
    assert first == [[1, 0, 17, 0], [0, 3, 0, 0], [0, 0, -1, 0], [0, 0, 0, 0]]
    assert second == [[0, 0, 0, 0], [0, 5, 0, 0], [2, 0, 9, 0], [0, 0, 0, 0]]
    assert (x == y).all()
    assert [data.name(0), data.name(1)] == ["user_id=1", "user_id=2"]


def test_rows_and_columns_are_not_mixed_up_where_they_differ_in_number(tmp_path):
    url = write(tmp_path / "a.db", [(7, 4, 0, 1), (7, 0, 2, 2), (7, 4, 2, 3)])
    x, _ = dataset(url, size=[3, 5]).read(0, None)
    assert x[..., 0].tolist() == [[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [2, 0, 0, 0, 3]]
    turned = {"key": "user_id", "row": "x", "column": "y"}
    assert (dataset(url, size=[5, 3], columns=turned).read(0, None)[0][..., 0] == x[..., 0].T).all()
    with pytest.raises(UserError, match="user_id=7, y=0, x=4: no such cell"):
        dataset(url, size=[5, 3]).read(0, None)


def test_every_id_asked_for_is_in_the_batch_in_its_place(tmp_path):
    """The seed gave a batch in the order of the rows, and left out who had none."""
    url = write(tmp_path / "a.db", [(user, 0, 0, user) for user in range(0, 2000, 2)])
    (tmp_path / "ids.txt").write_text("".join(f"{user}\n" for user in range(2000)))
    data = dataset(url, size=[1, 1], ids=str(tmp_path / "ids.txt"))
    order = np.random.default_rng(0).permutation(2000)  # more than one query may ask for
    order = np.concatenate([order, order[:10]])
    assert len(data) == sum(len(own) for own in data.splits().values()) == 2000
    x, y = data.read_many(order, [None] * len(order))
    assert x.shape == (2010, 1, 1, 1)
    assert (x.ravel() == np.where(order % 2, 0, order)).all()
    assert (x == y).all()


def test_several_columns_in_and_others_out(tmp_path):
    data = SqlMatrix(columns=COLUMNS, **tiny(tmp_path) | {"noise": 0.0})
    x, y = data.read(5, None)
    assert (x.shape, y.shape) == ((3, 5, 2), (3, 5, 1))
    assert data.input_spec.shape == (3, 5, 2)
    assert data.target_spec.shape == (3, 5, 1)
    assert x[2, 4].tolist() == [9, 1.5]
    assert y[2, 4].tolist() == [40]
    assert (data.read(0, None)[0] == 0).all()
    same = dataset(f"sqlite:///{tmp_path}/tiny.db", size=[3, 5], values=["b", "a", "b"])
    assert same.read(3, None)[0][2, 4].tolist() == [1.5, 9, 1.5]


def test_ids_may_be_texts(tmp_path):
    rows = [("ünal", 0, 0, 1), ("Zoë", 0, 0, 2), ("17", 0, 0, 3)]
    data = dataset(write(tmp_path / "a.db", rows), size=[1, 1])
    assert [data.name(at) for at in range(3)] == ["user_id=17", "user_id=Zoë", "user_id=ünal"]
    assert data.read_many(np.arange(3), [None] * 3)[0].ravel().tolist() == [3, 2, 1]


def test_ids_of_64_bits_keep_all_their_digits(tmp_path):
    big = [2**62 + at for at in (1, 0, 2)]
    data = dataset(write(tmp_path / "a.db", [(one, 0, 0, one % 3) for one in big]), size=[1, 1])
    assert [data.name(at) for at in range(3)] == [f"user_id={one}" for one in sorted(big)]
    x, _ = data.read_many(np.arange(3), [None] * 3)
    assert x.ravel().tolist() == [one % 3 for one in sorted(big)]


@pytest.mark.parametrize(
    ("duplicates", "order", "value"), [("sum", None, 7), ("last", "at", 4), ("last", "value", 4)]
)
def test_several_rows_for_one_cell(tmp_path, duplicates, order, value):
    """Of rows that are last together the one of the greatest value counts."""
    rows = [(1, 0, 0, 4, 9), (1, 0, 0, 1, None), (1, 0, 0, 2, 8), (2, 0, 0, 3, 0)]
    rows += [(3, 0, 0, value, 5) for value in ((2, 3, 1) if duplicates == "last" else (3, 0))]
    url = write(tmp_path / "a.db", rows, "user_id, x, y, value, at", key="")
    data = dataset(url, size=[1, 1], duplicates=duplicates, order=order)
    assert data.read_many(np.arange(3), [None] * 3)[0].ravel().tolist() == [value, 3, 3]
    with pytest.raises(UserError, match="user_id=1, y=0, x=0: several rows for one cell"):
        dataset(url, size=[1, 1]).read(0, None)


def test_a_sum_does_not_depend_on_the_order_of_the_rows(tmp_path):
    parts = [1e17, 1, 3, -1e17, 5, 7, 9]
    sums = set()
    for at in range(7):
        rows = [(1, 0, 0, value) for value in parts[at:] + parts[:at]]
        url = write(tmp_path / f"{at}.db", rows, key="")
        sums.add(dataset(url, size=[1, 1], duplicates="sum").read(0, None)[0].item())
    assert len(sums) == 1


OUTSIDE = [(-1, 0), (4, 0), (0, 4), (0, -1), (None, 0), (0, None)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        *(((1, *place, 7), "no such cell[\\s\\S]*y 0 to 3, x 0 to 3") for place in OUTSIDE),
        ((1, 1.5, 1, 5), r"user_id=1, y=1, x=1\.5: no such cell"),
        ((1, 3, 2, None), r"user_id=1, y=2, x=3: no value[\s\S]*value=NULL"),
        ((1, 3, 2, 1e300), r"user_id=1, y=2, x=3: no value[\s\S]*float32"),
        ((1, 3, 2, "abc"), "user_id=1, y=2, x=3: a value is no number"),
        ((1, 3, 2, b"\1"), "user_id=1, y=2, x=3: a value is no number"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path, row, said):
    with pytest.raises(UserError, match=said):
        dataset(write(tmp_path / "a.db", [(1, 0, 0, 1), row])).read(0, None)


@pytest.mark.parametrize("place", OUTSIDE)
def test_rows_outside_of_the_matrix_may_be_dropped(tmp_path, place):
    url = write(tmp_path / "a.db", [(1, 1, 1, 5), (1, *place, 7), (2, 0, 0, 3)])
    x, _ = dataset(url, outside="drop").read_many(np.array([0, 1]), [None] * 2)
    assert x.sum(axis=(1, 2, 3)).tolist() == [5, 3]


def test_a_row_between_two_cells_is_never_dropped(tmp_path):
    with pytest.raises(UserError, match=r"x=1\.5: no such cell"):
        dataset(write(tmp_path / "a.db", [(1, 1.5, 1, 5)]), outside="drop").read(0, None)


def test_nulls_may_be_zeros(tmp_path):
    rows = [(1, 0, 0, None, 1), (1, 1, 0, 2, None)]
    url = write(tmp_path / "a.db", rows, "user_id, x, y, value, other")
    x, _ = dataset(url, nulls="zero", values=["value", "other"]).read(0, None)
    assert x[0, :2].tolist() == [[0, 1], [2, 0]]


def test_noise_is_new_in_training_and_fixed_elsewhere(tmp_path):
    url = write(tmp_path / "a.db", SEED)
    data = dataset(url, noise=2.0, size=[40, 40])
    x, y = data.read(0, None)
    assert (data.read(0, None)[0] == x).all()
    assert (y == dataset(url, size=[40, 40]).read(0, None)[1]).all()
    assert 1.9 < (x - y).std() < 2.1
    other = data.read(0, np.random.default_rng(0))[0]
    assert (other == data.read(0, np.random.default_rng(0))[0]).all()
    assert (other != x).mean() > 0.99
    moved = dataset(url, noise=2.0, size=[40, 40], noise_seed=1)
    noises = [x - y, np.subtract(*data.read(1, None)), np.subtract(*moved.read(0, None))]
    assert len({noise.tobytes() for noise in noises}) == 3


def test_the_scale_is_learned_from_all_cells_of_the_train_split(tmp_path):
    data = dataset(write(tmp_path / "a.db", [(user, 0, 0, user) for user in range(40)]))
    train = data.splits()["train"]
    learned = data.learn(train)
    cells = data.read_many(train, [None] * len(train))[0].astype(float)
    assert json.loads(json.dumps(learned)) == learned
    assert learned["value"]["offset"] == pytest.approx(cells.mean())
    assert data.input_spec.scale == data.target_spec.scale == pytest.approx((cells.std(),))
    assert set(train) < set(range(40))


def test_stated_bounds_become_minus_one_and_one(tmp_path):
    data = dataset(write(tmp_path / "a.db", SEED), bounds=[-7, 9])
    before = data.read(0, None)[0]
    assert data.learn(np.array([0])) == {"value": {"offset": 1.0, "scale": 8.0}}
    assert (data.input_spec.offset, data.target_spec.scale) == ((1.0,), (8.0,))
    assert (data.read(0, None)[0] == before).all()


def test_splits_may_be_listed_by_id(tmp_path):
    url = write(tmp_path / "a.db", [(user, 0, 0, 1) for user in (10, 20, 30)])
    for name, lines in (("a", "10\nuser_id=30\n"), ("b", "20\n")):
        (tmp_path / name).write_text(lines)
    split = {"train": str(tmp_path / "a"), "valid": str(tmp_path / "b"), "test": None}
    data = dataset(url, split=split)
    assert {name: own.tolist() for name, own in data.splits().items()} == {
        "train": [0, 2],
        "valid": [1],
    }
    assert [path.name for path in data.sources] == ["a.db", "a", "b"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"table": "cell"}, "did you mean cells?"),
        ({"table": "other.cells"}, "no such table: other."),
        ({"values": ["vale"]}, "did you mean value?"),
        ({"targets": ["nothing_like_it"]}, "no column nothing_like_it"),
        ({"table": "cells; DROP TABLE cells"}, "'cells; DROP TABLE cells' is no name"),
        ({"table": 'cells" --'}, "is no name of a table"),
        ({"table": "a.b.c"}, "is no name of a table"),
        ({"values": ["1) OR (1=1"]}, "'1) OR (1=1' is no name"),
        ({"values": [""]}, "'' is no name"),
        ({"columns": {"key": "user_id", "row": "y"}}, "key, row and column"),
        ({"columns": {"key": "user_id", "row": "x", "column": "x"}}, "each another column"),
        ({"duplicates": "last"}, "dataset.order=null"),
        ({"order": "value"}, "dataset.duplicates=error dataset.order=value"),
        ({"bounds": [3, 3]}, "no room for values"),
        ({"url": "sqlite://"}, "there is no SQLite file"),
        ({"url": "sqlite:///no/where.db"}, "there is no SQLite file no/where.db"),
        ({"url": "cells.db"}, "is not the URL of a database"),
    ],
)
def test_mistakes_in_the_settings(tmp_path, changes, said):
    url = write(tmp_path / "a.db", SEED)
    with pytest.raises(UserError) as caught:
        dataset(**{"url": url, **changes})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("1\nx\n", "line 2: no id"),
        ("1\n\n1.5\n", "line 3: no id"),
        (f"{2**63}\n", "line 1: no id"),
        ("2\n1\n2\n", "lists 2 twice"),
        ("", "lists no id"),
        ("3\n4\n", "lists no id that table cells has rows for"),
    ],
)
def test_mistakes_in_the_list_of_ids(tmp_path, lines, said):
    (tmp_path / "ids.txt").write_text(lines)
    with pytest.raises(UserError) as caught:
        dataset(write(tmp_path / "a.db", SEED), ids=str(tmp_path / "ids.txt"))
    assert said in str(caught.value)
    with pytest.raises(UserError, match=r"none\.txt cannot be read"):
        dataset(f"sqlite:///{tmp_path}/a.db", ids=str(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], "table cells in sqlite:///"),
        ([None], "has no rows"),
        ([1, "1"], "int, str"),
        ([1.5], "float"),
        ([b"a"], "bytes"),
    ],
)
def test_keys_that_are_no_ids(tmp_path, keys, said):
    url = write(tmp_path / "a.db", [(key, 0, 0, 1) for key in keys], key="")
    with pytest.raises(UserError, match=said):
        dataset(url)


def test_names_that_sql_has_for_itself_are_names_all_the_same(tmp_path):
    schema = '"group", "order", "select", "from"'
    insert = 'INSERT INTO "table" VALUES (1, 1, 0, 5)'
    execute(tmp_path / "a.db", f'CREATE TABLE "table" ({schema})', insert)
    columns = {"key": "group", "row": "select", "column": "order"}
    url = f"sqlite:///{tmp_path}/a.db"
    data = dataset(url, table="table", columns=columns, values=["from"])
    assert data.read(0, None)[0][0, 1].item() == 5


def test_a_view_will_do(tmp_path):
    url = write(tmp_path / "a.db", [(1, 1, 1, 5)])
    words = "SELECT user_id, x - 1 AS x, y - 1 AS y, value FROM cells"
    execute(tmp_path / "a.db", f"CREATE VIEW from_zero AS {words}")
    data = dataset(url, table="from_zero")
    assert data.read(0, None)[0][0, 0].item() == 5
    assert data.check(np.arange(1)) == []


@pytest.mark.parametrize(
    ("key", "is_said"),
    [
        ("", True),
        ("PRIMARY KEY (x, user_id, y)", True),
        ("PRIMARY KEY (user_id, x, y)", False),
        ("UNIQUE (user_id, x, y)", False),
    ],
)
def test_a_missing_index_is_said_with_the_statement_that_makes_it(tmp_path, key, is_said):
    data = dataset(write(tmp_path / "a.db", SEED, key=key))
    assert data.check(np.arange(2)) == []
    said = "".join(data.notes)
    assert ("no index that starts with user_id" in said) == is_said
    if is_said:
        statement = said.splitlines()[-1].strip()
        assert statement == (
            'CREATE INDEX "cells_user_id" ON "cells" ("user_id", "y", "x");'
        ).replace('"cells_user_id"', statement.split()[2])
        execute(tmp_path / "a.db", statement)
        assert not dataset(f"sqlite:///{tmp_path}/a.db").notes


def test_ids_without_rows_are_counted(tmp_path):
    data = SqlMatrix(columns=COLUMNS, **tiny(tmp_path))
    assert data.notes == ["3 of 12 ids have no rows: their matrices are 0"]


def test_a_thorough_check_names_every_matrix_that_cannot_be_read(tmp_path):
    rows = [(user, 0, 0, 1) for user in range(600)]
    url = write(tmp_path / "a.db", [*rows, (3, 9, 0, 1), (599, 0, 1, None)])
    problems = dataset(url).check(np.arange(600), thorough=True)
    assert [problem.partition(" (table")[0] for problem in problems] == [
        "user_id=3, y=0, x=9: no such cell", "user_id=599, y=1, x=0: no value",
    ]  # fmt: skip
    assert dataset(url).check(np.arange(600)) == []


def test_the_file_is_only_read(tmp_path):
    """A URL that is wrong by a letter makes no empty file, and reading leaves no trace."""
    url = write(tmp_path / "a b%.db", SEED)
    data = dataset(url)
    data.read(0, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a b%.db"]
    assert data.sources == (tmp_path / "a b%.db",)
    assert data.stamp == ""
    (tmp_path / "a b%.db").unlink()
    copy = pickle.loads(pickle.dumps(dataset(write(tmp_path / "a.db", SEED), retry_s=0)))
    (tmp_path / "a.db").unlink()
    with pytest.raises(UserError, match="is lost"):
        copy.read(0, None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "a.db").write_text("user_id,x,y,value\n" * 100)
    with pytest.raises(UserError, match="file is not a database"):
        dataset(f"sqlite:///{tmp_path}/a.db")


def test_a_server_that_cannot_be_reached_is_refused_before_there_is_a_run(tmp_path):
    own = tiny(tmp_path)
    given = ["dataset.table=cells", f"dataset.ids={own['ids']}", *short(tmp_path)]
    url = "dataset.url=mysql+mysqldb://me:hunter2@127.0.0.1:1/db"
    text = refused("experiment=denoise", *given, url, out=tmp_path)
    assert "//me@127.0.0.1:1/db refuses" in text
    assert "hunter2" not in text


def statements(data):
    """The list that every statement of this dataset is added to from now on."""
    said, rows = [], data._reader.database.rows
    data._reader.database.rows = lambda words, values: said.append(words) or rows(words, values)
    return said


def execute(path, *words):
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in words:
            connection.execute(statement)


def many(folder, count=200, step=3):
    """Ids 0, 3, 6, …; each with one cell, which holds the id."""
    rows = [(user, user % 4, 1, user) for user in range(0, count * step, step)]
    return write(folder / "many.db", rows)


@pytest.mark.parametrize(
    ("indices", "asked"),
    [
        (range(64), ["0 AND 189"]),
        ([*range(40, 56), *range(8, 24)], ["24 AND 69", "120 AND 165"]),
        (range(0, 64, 2), ["0 AND 186"]),
        (range(0, 96, 3), ["0 AND 279"]),
        (range(0, 96, 4), []),
        (range(7), []),
        ([3, 90, 17, 140, 199, 60, 31, 8], []),
    ],
)
def test_neighbours_are_asked_for_by_ranges(tmp_path, indices, asked):
    data = dataset(many(tmp_path))
    said = statements(data)
    x, _ = data.read_many(np.array(indices), [None] * len(indices))
    assert x.sum((1, 2, 3)).tolist() == [3.0 * index for index in indices]
    assert len(said) == 1
    assert said[0].count("BETWEEN") == len(asked)
    assert all(f"BETWEEN {ends}" in said[0] for ends in asked)
    assert (" IN (" in said[0]) == (not asked)


def test_ids_of_many_rows_are_not_asked_for_without_need(tmp_path):
    """After the first query it is known that to leave out every second id saves more."""
    rows = [(user, x, y, user) for user in range(64) for x in range(5) for y in range(3)]
    data = dataset(write(tmp_path / "a.db", rows), size=[3, 5])
    said = statements(data)
    for indices in (range(0, 64, 2), range(0, 64, 2), range(32)):
        x, _ = data.read_many(np.array(indices), [None] * len(indices))
        assert x.sum((1, 2, 3)).tolist() == [15.0 * index for index in indices]
    assert ["BETWEEN" in words for words in said] == [True, False, True]


def test_rows_between_that_are_not_wanted_do_no_harm(tmp_path):
    """The list leaves out every tenth id; of two of those the rows are wrong."""
    url = many(tmp_path)
    execute(
        tmp_path / "many.db",
        "UPDATE cells SET value = NULL, x = 77 WHERE user_id = 30",
        "UPDATE cells SET value = 'much' WHERE user_id = 60",
    )
    wanted = [3 * at for at in range(100) if at % 10]
    (tmp_path / "ids").write_text("\n".join(map(str, wanted)))
    data = dataset(url, ids=str(tmp_path / "ids"))
    said = statements(data)
    for stop in (15, 90):
        x, _ = data.read_many(np.arange(stop), [None] * stop)
        assert x.sum((1, 2, 3)).tolist() == wanted[:stop]
    assert ["BETWEEN" in words for words in said] == [True, True]


def test_values_in_another_order_are_read_by_name(tmp_path):
    keys = tiny(tmp_path) | {"noise": 0.0, "targets": ["b", "a"]}
    data = dataset(**keys)
    x, y = data.read(1, None)
    data.arrange("input", ["b", "a"])
    data.arrange("target", ["a", "b"])
    turned = data.read(1, None)
    assert np.array_equal(turned[0], x[..., ::-1])
    assert np.array_equal(turned[1], y[..., ::-1])
    assert (data.input_spec.names, data.target_spec.names) == (("b", "a"), ("a", "b"))


def write_ahead(path, rows=SEED):
    write(path, rows)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def test_reading_a_file_in_wal_mode_leaves_its_folder_as_it_was(tmp_path):
    with closing(write_ahead(tmp_path / "a.db")):
        pass
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert list(before) == ["a.db"]
    x, _ = dataset(f"sqlite:///{tmp_path}/a.db").read_many(np.array([0, 1]), [None, None])
    assert x.any()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_changes_that_stand_in_the_wal_alone_are_refused(tmp_path):
    with closing(write_ahead(tmp_path / "a.db")) as writer:
        writer.execute("INSERT INTO cells VALUES (3, 0, 0, 5)")
        writer.commit()
        before = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
        with pytest.raises(UserError, match=r"(?s)a.db is not complete.*a.db-wal of.*checkpoint"):
            dataset(f"sqlite:///{tmp_path}/a.db")
        assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == before
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert len(dataset(f"sqlite:///{tmp_path}/a.db")) == 3


def test_a_file_that_may_not_be_written_is_read(tmp_path):
    with closing(write_ahead(tmp_path / "a.db")):
        pass
    (tmp_path / "a.db").chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert len(dataset(f"sqlite:///{tmp_path}/a.db")) == 2
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("kind", ["BIGINT", "REAL", "DECIMAL"])
def test_numbers_that_float32_merges_are_refused_with_figures(tmp_path, kind):
    rows = [(user, 0, 0, 1_700_000_000_000 + 1000 * user) for user in range(20)]
    url = write(tmp_path / "a.db", rows, f"user_id, x, y, value {kind}")
    data = dataset(url, size=[1, 1])
    with pytest.raises(UserError, match=r"(?s)column value of table cells.*20 different values"):
        data.learn(np.arange(20))
    assert data.problems({"train": np.arange(20)}, thorough=True)
