"""Tables: cells as in the file, columns as inputs and targets, mistakes by line."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from reprise.datasets.precision import float32_loss
from reprise.datasets.streams.table_source import TableSource
from reprise.datasets.tables import Table, feature_columns, features, read_table, table_targets
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


@pytest.mark.parametrize("cell", ["x", "nan", "inf", "1,5", "1e999", "1_0", "0x10", "True"])
def test_what_is_no_number_is_named_with_its_line(table, cell):
    with pytest.raises(UserError, match=r"(?s)t.csv, line 3: no number stands in column 'v'"):
        table(f'v\n1\n"{cell}"\n').numbers("v", "dataset.label")
    with pytest.raises(UserError, match=r"(?s)line 3: no number stands in column 'v'.*an empty"):
        table("v,w\n1,1\n,1\n").numbers("v", "dataset.label")


def test_a_missing_column_is_named_with_the_nearest(table):
    with pytest.raises(UserError) as caught:
        table("path,labels\na,b\n").texts("label", "dataset.label")
    said = str(caught.value)
    assert "no column 'label'" in said
    assert "one of path, labels" in said
    assert "did you mean dataset.label=labels?" in said


def test_an_empty_cell_is_named_and_empty_lines_are_left_out(table):
    with pytest.raises(UserError, match=r"t.csv, line 5: nothing stands in column 'path'"):
        table("path,x\na,1\n\n , \n ,2\n").present("path", "dataset.path")
    read = table("path,x\r\na,1\r\n\r\nb,2\r\n,\r\n\r\n\r\n\r\n")
    assert read.texts("path", "k") == ["a", "b"]
    assert read.place(1) == f"{read.file}, line 4"


def test_groups_in_two_spellings_are_one(table):
    read = table("who\nAnn\nann \nbob\ncafe\u0301\ncaf\u00e9\n")
    assert read.groups("who", "k") == ["Ann", "Ann", "bob", "cafe\u0301", "cafe\u0301"]


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
        ("t.csv", b"path,label\na,b,c\na,b,c\n", "Length of header.*beyond the header"),
        ("t.csv", b'path\n"a\n', "EOF"),
        ("t.csv", b"path\n\xff\xfe\xfa\n", "utf-8.*in UTF-8 "),
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
        ("value", "mass", [4.5, 1, 3], Spec((), "float32", names=("mass",))),
        ("value", ["mass", "fur"], [[4.5, 1], [1, 0], [3, 1]], Spec((2,), "float32",
                                                                   names=("mass", "fur"))),
        ("value", ["mass"], [[4.5], [1], [3]], Spec((1,), "float32", names=("mass",))),
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b,a\n1,2,3\n", "a header with the name 'a' twice: a, b, a"),
        ("a, a,b\n1,2,3\n", "a header with the name 'a' twice"),
        ("a;b;a\n1,5;2;x\n", "a header with the name 'a' twice: a, b, a"),
    ],
)
def test_a_header_that_names_columns_twice_is_refused(table, content, said):
    with pytest.raises(UserError, match=rf"(?s)dataset.table: .*t.csv cannot be read.*{said}"):
        table(content)


def test_an_excel_sheet_is_to_be_saved_as_csv(table):
    with pytest.raises(UserError, match=r"(?s)open it in Excel, save the sheet as 'CSV UTF-8"):
        table("", "t.xlsx")


def test_what_other_tools_forgive_is_forgiven(table):
    read = table('\ufeff"a" , b,label\r\n+5 ,1e3,x\r\n007,-.5, x\r\n,,\r\n\r\n\r\n')
    assert features(read, ["a", "b"]).tolist() == [[5, 1000], [7, -0.5]]
    assert read.texts("label", "k") == ["x", "x"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_what_excel_writes_elsewhere_is_read(tmp_path, encoding, mark):
    rows = (
        ["größe;b;label", "1,5;2;x", "-,25;3e1;y"]
        if mark == ";"
        else ["größe;b;label", "1.5;2;x", "-.25;3e1;y"]
    )
    file = tmp_path / "t.csv"
    file.write_text("\n".join(rows).replace(";", mark) + "\n", encoding)
    read = read_table(str(file), "k")
    assert features(read, ["größe", "b"]).tolist() == [[1.5, 2], [-0.25, 30]]
    assert read.texts("label", "k") == ["x", "y"]
    source = TableSource(str(file), "label", classes=["x", "y"])
    assert [x.tolist() for x, _ in source.samples(0)] == [[1.5, 2], [-0.25, 30]]
    notes = [f"{file}: ';' separates its cells; a comma in a number is its decimal point"]
    assert read.notes == list(source.notes) == (notes if mark == ";" else [])


def test_all_rows_with_a_fault_are_named_at_once(table):
    rows = "".join(f"{'?' if at % 2 else at},{'x' if at % 2 else ''}\n" for at in range(20))
    read = table("v,label\n" + rows)
    with pytest.raises(
        UserError, match=r"line 3: no.*(?s:.)*9 more such row\(s\): .*t.csv, line 5, "
    ):
        read.numbers("v", "k")
    for fails in (
        lambda: read.present("label", "k"),
        lambda: table_targets(read, "class", "label", "|", None),
    ):
        with pytest.raises(
            UserError, match=r"line 2: (?s:.)*9 more such row\(s\): .*t.csv, line 4, "
        ):
            fails()


def test_a_point_beside_decimal_commas_is_no_number(table):
    with pytest.raises(UserError, match=r"(?s)line 3: no number stands in column 'v'.*'1.234'"):
        table("v;w\n1,5;1\n1.234;2\n").numbers("v", "k")
    assert table("v;w\n1.5;1\n1.234;2\n").numbers("v", "k").tolist() == [1.5, 1.234]


@pytest.mark.parametrize("cell", ["1,234", "3,14", "NA", "null", "1 000", "5%", "-inf"])
def test_other_spellings_of_numbers_are_named_with_their_line_and_key(table, cell):
    said = rf"(?s)line 3: no number stands in column 'v'.*'{cell}'.*dataset.columns=\["
    with pytest.raises(UserError, match=said):
        features(table(f'v,label\n1,x\n"{cell}",y\n'), ["v"])


def test_true_and_false_are_numbers_where_all_are(table):
    read = table("v,w\nTRUE,true\nFalse,2\n")
    assert read.numbers("v", "k").tolist() == [1, 0]
    with pytest.raises(UserError, match=r"(?s)line 2: no number.*'true'"):
        read.numbers("w", "k")


TYPES = {
    "int": pyarrow.array([1, None, 3], "int64"),
    "small": pyarrow.array([1, 2, 3], "uint8"),
    "unsigned": pyarrow.array([1, 2, 3], "uint64"),
    "half": pyarrow.array(np.array([1, 2, 3], "float16")),
    "bool": pyarrow.array([True, False, True]),
    "maybe": pyarrow.array([True, None, True]),
    "decimal": pyarrow.array([1, 2, 3]).cast(pyarrow.decimal128(22, 2)),
    "text": pyarrow.array(["1", "2", "3"]),
    "bytes": pyarrow.array([b"1", b"2", b"3"]),
    "dictionary": pyarrow.array(["1", "2", "1"]).dictionary_encode(),
    "gap": pyarrow.array(["x", None, "x"]).dictionary_encode(),
    "date": pyarrow.array([0, 1, 2], "date32"),
    "time": pyarrow.array([0, 1, 2], pyarrow.timestamp("ns")),
    "duration": pyarrow.array([0, 1, 2], pyarrow.duration("s")),
    "list": pyarrow.array([[1], [2], []]),
    "struct": pyarrow.array([{"a": 1}, {"a": 2}, None]),
}
READ = {"small", "unsigned", "half", "bool", "decimal", "text", "bytes", "dictionary"}


@pytest.mark.parametrize("kind", TYPES)
def test_a_column_of_any_type_is_read_or_named_with_its_row(tmp_path, kind):
    parquet.write_table(pyarrow.table({"v": TYPES[kind]}), tmp_path / "t.parquet")
    read = read_table(str(tmp_path / "t.parquet"), "k")
    if kind in READ:
        assert features(read, ["v"]).dtype == np.float32
        assert len(table_targets(read, "class", "v", "|", None).values) == 3
        return
    place = r"row \d: no number stands in column 'v'|column 'v' of .* holds lists"
    with pytest.raises(UserError, match=rf"t.parquet.*({place})|{place}"):
        features(read, ["v"])


@pytest.mark.parametrize("kind", ["Int64", "boolean", "string", "category", "Float32"])
def test_a_missing_value_in_a_type_of_pandas_is_named_with_its_row(tmp_path, kind):
    values = {"boolean": [True, None], "string": ["x", None], "category": ["x", None]}
    cells = pd.Series(values.get(kind, [1, None]), dtype=kind)
    pd.DataFrame({"v": cells, "w": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    read = read_table(str(tmp_path / "t.parquet"), "k")
    with pytest.raises(UserError, match=r"t.parquet, row 2: an empty cell is no class"):
        table_targets(read, "class", "v", "|", None)
    row = 1 if kind in ("string", "category") else 2
    with pytest.raises(UserError, match=rf"t.parquet, row {row}: no number stands in column 'v'"):
        features(read, ["v"])


def test_columns_without_a_name_are_no_inputs_and_a_count_of_the_rows_is_mentioned(table):
    read = table(",Id,a,label,\n0,3,7,x,\n1,1,5,y,\n2,2,6,x,\n")
    assert feature_columns(read, None, {"label"}) == ["Id", "a"]
    features(read, ["Id", "a"])
    assert [note.partition(" of ")[0].partition(",")[0] for note in read.notes] == [
        "2 column(s)", "column 'Id' counts the rows",
    ]  # fmt: skip
    read = table("Unnamed: 0.1,__index_level_0__,a\n5,5,5\n")
    assert feature_columns(read, None, {"label"}) == ["a"]
    with pytest.raises(UserError, match=r"dataset.columns names 'a' twice"):
        feature_columns(read, ["a", "a"], {"label"})


def test_a_number_beyond_float32_is_refused(table):
    with pytest.raises(UserError, match=r"(?s)column 'a' of .* too large.*received +-1 to 1e\+39"):
        features(table("a\n-1\n1e39\n"), ["a"])


MILLISECONDS = 1_700_000_000_000 + 1000 * np.arange(100)


@pytest.mark.parametrize(
    "values",
    [
        MILLISECONDS,
        MILLISECONDS / 1000 + 0.5,
        np.concatenate([MILLISECONDS, MILLISECONDS + 31_536_000_000]),
        2**60 + np.arange(50),
        np.uint64(2**63) + np.arange(50, dtype=np.uint64),
        20_000_000 + np.arange(1000),
    ],
)
def test_numbers_that_float32_merges_are_refused_with_figures(tmp_path, values):
    parquet.write_table(pyarrow.table({"t": values}), tmp_path / "t.parquet")
    read = read_table(str(tmp_path / "t.parquet"), "k")
    left = len(np.unique(values.astype(np.float32)))
    said = rf"'t' of .*(?s:.*){len(values)} different.* become {left} in float32"
    with pytest.raises(UserError, match=f"dataset.columns: .*{said}"):
        features(read, ["t"])
    with pytest.raises(UserError, match=f"dataset.label: .*{said}"):
        table_targets(read, "value", "t", "|", None)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(300, 5, 20_000),  # kelvin
        np.random.default_rng(0).random(50_000),
        np.random.default_rng(0).integers(0, 2**60, 5000),
        np.random.default_rng(0).lognormal(0, 4, 5000),
        np.array([0, 1, 2, 3, 1e12]),
        np.full(9, 1.7e12),
        np.arange(1990, 2020) * 365.25 * 86400,
    ],
)
def test_numbers_that_stay_apart_are_read(values):
    loss = float32_loss(values)
    assert loss is None or not loss[2]


def test_a_name_that_may_stand_for_nothing_is_mentioned(table):
    read = table("kind\na\nnan\nNA\n")
    table_targets(read, "class", "kind", "|", None)
    assert [note.split()[0] for note in read.notes] == ["'NA'", "'nan'"]


def test_the_index_of_pandas_is_no_column_and_one_with_a_name_is_mentioned(tmp_path):
    frame = pd.DataFrame({0: [1, 2], " a ": [3, 4]}, index=pd.Index([7, 8], name="who"))
    with pytest.warns(UserWarning, match="names of mixed type"):
        frame.to_parquet(tmp_path / "t.parquet")
    read = read_table(str(tmp_path / "t.parquet"), "k")
    assert feature_columns(read, None, {"label"}) == ["0", "a"]
    assert features(read, ["a", "0"]).tolist() == [[3, 1], [4, 2]]
    assert len(read.notes) == 1
    assert "the index 'who'" in read.notes[0]


def test_as_many_classes_as_rows_are_mentioned(table):
    read = table("price\n" + "".join(f"{at}.5\n" for at in range(30)))
    table_targets(read, "class", "price", "|", None)
    assert "has 30 classes in 30 rows; dataset.target=value" in read.notes[0]
