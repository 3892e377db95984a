"""Tables: cells as in the file, columns as inputs and targets, mistakes by line."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from reprise.datasets.tables import Table, read_table, table_targets
from reprise.errors import UserError
from reprise.spec import Spec


@pytest.fixture
def table(tmp_path):
    def write(text, name="t.csv"):
        (tmp_path / name).write_text(text)
        return read_table(str(tmp_path / name), "dataset.table")

    return write


def test_a_cell_is_the_text_in_the_file(table):
    read = table('\ufeffpath,label\na.png, None \nb.png,007\n"c,d.png",NA\n')
    assert len(read) == 3
    assert read.texts("path", "k") == ["a.png", "b.png", "c,d.png"]
    assert read.texts("label", "k") == ["None", "007", "NA"]


def test_parquet_gives_the_same_as_csv(table, tmp_path):
    columns = {"path": ["a", None], "label": [3, 11], "tilt": [0.5, -2.0]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    read = read_table(str(tmp_path / "t.parquet"), "k")
    assert read.texts("path", "k") == ["a", ""]
    assert read.texts("label", "k") == ["3", "11"]
    assert read.numbers("tilt", "k").tolist() == [0.5, -2.0]
    assert read.place(1) == f"{tmp_path}/t.parquet, row 2"


def test_lists_in_cells_are_refused(tmp_path):
    parquet.write_table(pyarrow.table({"tags": [["a", "b"], []]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"column 'tags' of .*t.parquet holds lists"):
        read_table(str(tmp_path / "t.parquet"), "k").texts("tags", "dataset.label")


@pytest.mark.parametrize("cell", ["", "x", "nan", "inf", "1,5", "1e999", "1_0", "0x10", "True"])
def test_what_is_no_number_is_named_with_its_line(table, cell):
    with pytest.raises(UserError, match=r"(?s)t.csv, line 3: no number stands in column 'v'"):
        table(f'v\n1\n"{cell}"\n').numbers("v", "dataset.label")


def test_a_missing_column_is_named_with_the_nearest(table):
    with pytest.raises(UserError) as caught:
        table("path,labels\na,b\n").texts("label", "dataset.label")
    said = str(caught.value)
    assert "no column 'label'" in said
    assert "one of path, labels" in said
    assert "did you mean dataset.label=labels?" in said


def test_an_empty_cell_and_an_empty_line_are_named(table):
    for text in ("path,x\na,1\n ,2\n", "path,x\na,1\n\nb,1\n"):
        with pytest.raises(UserError, match=r"t.csv, line 3: nothing stands in column 'path'"):
            table(text).present("path", "dataset.path")


def test_rows_in_the_middle_of_a_table_have_their_own_lines(table):
    part = table("path\na\n\n")
    assert Table(part.file, part.frame, first=1000).place(1) == f"{part.file}, line 1003"


def test_a_value_that_stands_twice_is_named_with_both_lines(table):
    with pytest.raises(UserError, match=r"(?s)line 4: 'a'.*line 2"):
        table("path\na\nb\na\n").distinct("path", "dataset.path")
    assert table("path\na\nb\n").distinct("path", "k") == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "No columns"),
        ("t.csv", b"path,label\n", "has no row"),
        ("t.csv", b"path,label\na,b\na,b,c\n", "Expected 2 fields in line 3, saw 3"),
        ("t.csv", b"path,label\na,b,c\na,b,c\n", "Length of header"),
        ("t.csv", b'path\n"a\n', "EOF"),
        ("t.csv", b"path\n\xff\xfe\xfa\n", "utf-8"),
        ("t.parquet", b"not parquet", "[Pp]arquet"),
        ("t.xlsx", b"", "'.xlsx'"),
        ("missing.csv", None, "No such file"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"(?s)dataset.table: .*{name}.*{said}"):
        read_table(str(tmp_path / name), "dataset.table")


@pytest.fixture
def columns(tmp_path):
    cells = {
        "kind": ["cat", "hen", "cat"],
        "tags": ["fur | legs", "legs", ""],
        "fur": ["1", "0", "1"],
        "legs": ["1", "1", "0"],
        "mass": ["4.5", "1", "3"],
    }
    return Table(tmp_path / "t.csv", pd.DataFrame(cells))


@pytest.mark.parametrize(
    ("target", "label", "values", "spec"),
    [
        ("class", "kind", [0, 1, 0], Spec((), "int32", ("cat", "hen"))),
        ("class", ["kind"], [0, 1, 0], Spec((), "int32", ("cat", "hen"))),
        ("class", "fur", [1, 0, 1], Spec((), "int32", ("0", "1"))),
        ("labels", "tags", [[1, 1], [0, 1], [0, 0]], Spec((2,), "uint8", ("fur", "legs"))),
        ("labels", ["legs", "fur"], [[1, 1], [1, 0], [0, 1]], Spec((2,), "uint8",
                                                                  ("legs", "fur"))),
        ("value", "mass", [4.5, 1, 3], Spec((), "float32")),
        ("value", ["mass", "fur"], [[4.5, 1], [1, 0], [3, 1]], Spec((2,), "float32")),
        ("value", ["mass"], [[4.5], [1], [3]], Spec((1,), "float32")),
    ],
)  # fmt: skip
def test_what_columns_say(columns, target, label, values, spec):
    targets = table_targets(columns, target, label, "|", None)
    assert np.array_equal(targets.values, values)
    assert targets.spec == spec


@pytest.mark.parametrize(
    ("target", "label", "classes", "said"),
    [
        ("class", ["kind", "fur"], None, "does not fit dataset.target=class"),
        ("value", [], None, "does not fit dataset.target=value"),
        ("class", "kind", ["cat", "dog"], "line 3: 'hen' is no class"),
        ("labels", "tags", ["fur"], "line 2: 'legs' is no class"),
        ("labels", ["fur", "mass"], None, "line 2: 4.5 for 'mass' is no label"),
        ("labels", ["fur", "legs"], ["a", "b"], "dataset.classes names other classes"),
        ("value", "kind", None, "line 2: no number stands in column 'kind'"),
        ("class", "knid", None, "did you mean dataset.label=kind"),
    ],
)
def test_what_does_not_fit_is_refused(columns, target, label, classes, said):
    with pytest.raises(UserError) as caught:
        table_targets(columns, target, label, "|", classes)
    assert said in str(caught.value)


def test_a_separator_and_an_order_of_classes(table):
    read = table("tags\nb;a\nc\n a \n")
    targets = table_targets(read, "labels", "tags", ";", ["c", "b", "a"])
    assert targets.values.tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 1]]


def test_clean_text_is_read_by_arrow_with_the_same_values(table, tmp_path):
    """The first column is clean, in the second a space makes every cell go the careful way."""
    texts = ["1", "-2.5e3", "+3", ".5", "1e3", "007", "0.1", "1.7976931348623157e308"]
    read = table("v,w\n" + "".join(f"{text}, {text}\n" for text in texts))
    assert read.numbers("v", "k").tolist() == [float(text) for text in texts]
    assert np.array_equal(read.numbers("w", "k"), read.numbers("v", "k"))
    names = table_targets(table("kind\nb\na \nb\na\n"), "class", "kind", "|", None)
    assert names.values.tolist() == [1, 0, 1, 0]
    parquet.write_table(pyarrow.table({"kind": ["a", None]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="row 2: an empty cell is no class"):
        table_targets(read_table(str(tmp_path / "t.parquet"), "k"), "class", "kind", "|", None)
