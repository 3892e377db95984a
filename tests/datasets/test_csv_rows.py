import numpy as np
import pytest

from reprise.datasets.csv_rows import CsvRows
from reprise.errors import UserError

FRACTIONS = {"train": 0.6, "valid": 0.2, "test": 0.2}
HEADER = "weight,height,site,part,label"
ROWS = [
    f"{i}.5,{i * i},{'xyz'[i % 3]},{'train' if i < 6 else 'valid'},{'ab'[i % 2]}" for i in range(10)
]


def write(folder, rows=ROWS, header=HEADER):
    path = folder / "rows.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def tiny(folder) -> dict[str, object]:
    """The YAML's values for ten rows."""
    return {"table": write(folder), "columns": ["weight", "height"], "split": FRACTIONS}


def open_rows(folder, **keys) -> CsvRows:
    table = {} if "table" in keys else {"table": write(folder)}
    return CsvRows(**{"columns": ["weight", "height"], "split": FRACTIONS, **table, **keys})


def test_samples_are_the_tables_own_numbers(tmp_path):
    dataset = open_rows(tmp_path)
    x, y = dataset.read_many(np.array([9, 0]), [None, None])
    assert x.tolist() == [[9.5, 81.0], [0.5, 0.0]]
    assert y.tolist() == [1, 0]
    assert (dataset.input_spec.shape, dataset.input_spec.dtype) == ((2,), "float32")
    assert dataset.target_spec.classes == ("a", "b")
    assert dataset.name(0) == "rows.csv, line 2"


def test_a_read_row_can_be_written_to_without_harm(tmp_path):
    dataset = open_rows(tmp_path)
    x, _ = dataset.read(0, None)
    x += 100
    assert dataset.read(0, None)[0].tolist() == [0.5, 0.0]


def test_columns_default_to_all_without_another_meaning(tmp_path):
    dataset = open_rows(tmp_path, columns=None, group="site", split="part")
    assert dataset.read(3, None)[0].tolist() == [3.5, 9.0]


def test_a_column_may_say_the_split(tmp_path):
    splits = open_rows(tmp_path, split="part").splits()
    assert {name: own.tolist() for name, own in splits.items()} == {
        "train": [0, 1, 2, 3, 4, 5], "valid": [6, 7, 8, 9],
    }  # fmt: skip


def test_files_may_list_the_lines(tmp_path):
    for name, lines in (("train", "2\n3\n"), ("valid", "11\n")):
        (tmp_path / f"{name}.txt").write_text(lines)
    split = {"train": f"{tmp_path}/train.txt", "valid": f"{tmp_path}/valid.txt", "test": None}
    dataset = open_rows(tmp_path, split=split)
    assert {name: own.tolist() for name, own in dataset.splits().items()} == {
        "train": [0, 1], "valid": [9],
    }  # fmt: skip
    assert len(dataset.sources) == 3


@pytest.mark.parametrize(
    ("change", "keys", "said"),
    [
        (("3.5,9", "3.5,tall"), {}, r"line 5(?s:.*)'height'(?s:.*)'tall'"),
        (("", ""), {"columns": ["weihgt"]}, r"no column 'weihgt'(?s:.*)dataset.columns=weight"),
        (("", ""), {"columns": ["weight", "label"]}, "among the inputs(?s:.*)take label out"),
        (("", ""), {"columns": None}, r"'site'"),
        (("", ""), {"classes": ["a", "c"]}, r"line 3(?s:.*)'b'"),
        (("", ""), {"split": "site"}, r"line 2(?s:.*)'x' is no split"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, keys, said):
    rows = [row.replace(*change) if change[0] else row for row in ROWS]
    with pytest.raises(UserError, match=said):
        open_rows(tmp_path, table=write(tmp_path, rows), **keys)


def test_a_table_of_labels_alone_has_no_input(tmp_path):
    path = write(tmp_path, ["a", "b"], "label")
    with pytest.raises(UserError, match="names no column"):
        open_rows(tmp_path, table=path, columns=None)
