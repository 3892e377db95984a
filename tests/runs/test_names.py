"""A run that is opened again gets its columns by name, in its own order, or a reason why not."""

from dataclasses import replace
from pathlib import Path

import pytest

from reprise.datasets.csv_rows import CsvRows
from reprise.datasets.stream import Stream
from reprise.datasets.streams.table_source import TableSource
from reprise.errors import UserError
from reprise.runs.experiment import Data
from reprise.runs.load import SavedRun, changed_digest, match_specs, open_saved_data
from reprise.runs.update import adopt
from reprise.spec import Spec

SPLIT = {"train": 0.5, "valid": 0.5}
ROWS = {"a": range(10), "b": range(20, 30), "c": range(300, 310), "kind": "xy" * 5}


def write(file: Path, names: str, rows=ROWS) -> str:
    lines = zip(*(map(str, rows[name]) for name in names.split()), strict=True)
    file.write_text("\n".join(map(",".join, [names.split(), *lines])) + "\n")
    return str(file)


def specs(dataset) -> dict[str, Spec]:
    return {"input": dataset.input_spec, "target": dataset.target_spec}


def matched(dataset, then):
    match_specs(dataset, specs(then), "it does not fit", "mend it")
    assert dataset.input_spec == then.input_spec
    return dataset


def config(table: str) -> dict[str, object]:
    node = {"_target_": "reprise.datasets.csv_rows.CsvRows", "table": table, "label": "kind"}
    dataset = {**node, "split": {**SPLIT, "test": None}}
    return {"dataset": dataset, "trainer": {"overfit": None}, "seed": 0, "loader": {}}


def saved(then: CsvRows, table: str, **change) -> SavedRun:
    names = {split: then.names(own) for split, own in then.splits().items()}
    changed = specs(then) | {
        part: replace(specs(then)[part], **own) for part, own in change.items()
    }
    return SavedRun(Path(), Path(), {}, config(table), names, changed)


def test_columns_in_another_order_are_read_by_name(tmp_path):
    table = write(tmp_path / "t.csv", "a b c kind")
    then = CsvRows(table, SPLIT, label="kind")
    then.learn(then.splits()["train"])
    run = saved(then, table)
    write(tmp_path / "t.csv", "kind c a b")
    data = open_saved_data(run)
    assert data.dataset.input_spec == then.input_spec
    assert data.dataset.read(3, None)[0].tolist() == [3, 23, 303]


def test_data_that_has_changed_is_mentioned(tmp_path, capsys):
    table = write(tmp_path / "t.csv", "a b c kind")
    then = CsvRows(table, SPLIT, label="kind")
    run = saved(then, table)
    for digest, notes in (
        ("5e1f", 1),
        (changed_digest(replace(run, data_digest=""), Data(then, then.splits(), 0, {})), 0),
    ):
        open_saved_data(replace(run, data_digest=digest))
        assert capsys.readouterr().err.count("has changed: its digest was 5e1f") == notes


def test_rows_that_have_changed_under_the_same_names_are_mentioned(tmp_path, capsys):
    table = write(tmp_path / "t.csv", "a b c kind")
    then = CsvRows(table, SPLIT, label="kind")
    then.learn(then.splits()["train"])
    run = saved(then, table)
    open_saved_data(run)
    assert "has changed" not in capsys.readouterr().err
    turned = {name: list(values)[::-1] for name, values in ROWS.items()}
    for rows, said in (
        (turned, "mean of 'a' (input) was"),
        (ROWS | {"kind": "xxxxxxxxxy"}, "number of 'x' (target) was"),
        (ROWS | {"c": range(300, 400, 10)}, "mean of 'c' (input) was"),
    ):
        write(tmp_path / "t.csv", "a b c kind", rows)
        assert open_saved_data(run).dataset.input_spec == then.input_spec
        assert f"has changed: in the train split the {said}" in capsys.readouterr().err


def test_values_in_another_order_are_read_by_name(tmp_path):
    table = write(tmp_path / "t.csv", "a b c kind")
    keys = {"columns": ["c"], "target": "value"}
    then = CsvRows(table, SPLIT, label=["a", "b"], **keys)
    now = matched(CsvRows(table, SPLIT, label=["b", "a"], **keys), then)
    assert now.read(3, None)[1].tolist() == [3, 23]


def test_a_stream_and_each_of_its_sources_are_read_by_name(tmp_path):
    one, other = (
        write(tmp_path / n, names) for n, names in (("1.csv", "a b kind"), ("2.csv", "b kind a"))
    )
    source, valid = (TableSource(file, "kind", classes=["x", "y"]) for file in (one, other))
    then = Stream(source, {"train": 1.0, "valid": valid})
    assert next(iter(then.splits()["valid"])).x[3].tolist() == [3, 23]
    now = matched(
        Stream(TableSource(other, "kind", classes=["x", "y"]), {"train": 0.5, "valid": 0.5}), then
    )
    rows = [x for split in now.splits().values() for chunk in split for x in chunk.x.tolist()]
    assert sorted(rows) == [[at, 20 + at] for at in range(10)]


@pytest.mark.parametrize(
    ("names", "rows", "said"),
    [
        ("a b d kind", {"d": range(10)}, r"names of the input(?s:.*)new: d; missing: c"),
        ("a b c d kind", {"d": range(10)}, r"names of the input(?s:.*)received .*new: d\)"),
        ("a b kind", {}, r"names of the input(?s:.*)missing: c"),
        ("a b c kind", {"kind": "xz" * 5}, r"classes of the target(?s:.*)new: z; missing: y"),
        ("a b c kind", {"kind": "xyzxyzxyzx"}, r"classes of the target(?s:.*)new: z\)"),
        ("a b c kind", {"kind": "x" * 10}, r"classes of the target(?s:.*)missing: y"),
    ],
)
def test_other_columns_and_classes_are_refused(tmp_path, names, rows, said):
    table = write(tmp_path / "t.csv", "a b c kind")
    run = saved(CsvRows(table, SPLIT, label="kind"), table)
    write(tmp_path / "t.csv", names, ROWS | rows)
    with pytest.raises(UserError, match=f"no longer what the run was trained on: {said}"):
        open_saved_data(run)


def test_classes_in_another_order_and_another_target_are_refused(tmp_path):
    table = write(tmp_path / "t.csv", "a b c kind")
    then = CsvRows(table, SPLIT, label="kind")
    with pytest.raises(
        UserError, match=r"(?s)classes of the target.*expected  x, y.*received  y, x"
    ):
        matched(CsvRows(table, SPLIT, label="kind", classes=["y", "x"]), then)
    keys = {"columns": ["c"], "target": "value"}
    with pytest.raises(UserError, match=r"(?s)names of the target.*expected  a\n.*received  b"):
        matched(CsvRows(table, SPLIT, label="b", **keys), CsvRows(table, SPLIT, label="a", **keys))


def test_a_run_from_before_there_were_names_still_opens(tmp_path):
    table = write(tmp_path / "t.csv", "a b c kind")
    run = saved(CsvRows(table, SPLIT, label="kind"), table, input={"names": ()})
    assert "names" not in {k for k, v in run.specs["input"].as_json().items() if v}
    assert open_saved_data(run).dataset.read(3, None)[0].tolist() == [3, 23, 303]
    assert Spec.from_json({"shape": [2], "dtype": "float32"}) == Spec((2,), "float32")


def test_an_update_takes_columns_by_name_and_asks_about_units(tmp_path, capsys):
    then = CsvRows(write(tmp_path / "t.csv", "a b c kind"), SPLIT, label="kind")
    millimetres = ROWS | {"b": range(20000, 30000, 1000)}
    now = CsvRows(write(tmp_path / "new.csv", "c b a kind", millimetres), SPLIT, label="kind")
    parent, new = (Data(one, one.splits(), 0, {}) for one in (then, now))
    parent.learn()
    adopt(new, parent)
    assert now.input_spec == then.input_spec
    assert now.read(3, None)[0].tolist() == [3, 23000, 303]
    said = capsys.readouterr().err
    assert said.count("note:") == 1
    assert "the mean of b is 2" in said
