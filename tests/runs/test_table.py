from seen import seen

from reprise.runs.compare_table import as_text, columns_of, warnings_of

FAST = {"optimizer.learning_rate": "0.01", "model.units": "[128]", "seed": "0"}


def two():
    better = {"valid/accuracy": 0.75, "test/accuracy": 0.123456789, "valid/loss": 1.0}
    return [seen("aaaa", params=FAST, metrics=better), seen("bbbb", status="stopped 2/8")]


def test_only_what_differs_is_a_column_and_the_best_is_marked():
    assert columns_of(two()) == {
        "run": ["20261121-120004-aaaa", "20261121-120004-bbbb"],
        "status": ["finished", "stopped 2/8"],
        "learning_rate": ["0.01", "0.001"],
        "test/accuracy": ["0.1235", "0.25*"],
        "valid/accuracy": ["0.75*", "0.5"],
        "valid/loss": ["1*", "1.5"],
    }
    assert warnings_of(columns_of(two())) == []


def test_for_programs_nothing_is_rounded_or_marked():
    runs = [*two(), seen("cccc", code="e" * 40 + "+" + "f" * 64, metrics={})]
    columns = columns_of(runs, exact=True)
    assert columns["test/accuracy"] == ["0.123456789", "0.25", "-"]
    assert columns["optimizer.learning_rate"] == ["0.01", "0.001", "0.001"]
    assert columns["code"] == ["c" * 40, "c" * 40, "e" * 40 + "+" + "f" * 64]


def test_other_data_and_other_code_are_shown_and_warned_of():
    runs = [seen("a"), seen("b", data="e" * 32), seen("c", code="c" * 40 + "+" + "f" * 64)]
    columns = columns_of(runs)
    assert columns["data"] == ["d" * 7, "e" * 7, "d" * 7]
    assert columns["code"] == ["c" * 7, "c" * 7, "c" * 7 + "+" + "f" * 7]
    first, second = warnings_of(columns)
    assert "different data: their metrics do not compare" in first
    assert "different code" in second


def test_a_setting_called_as_a_column_keeps_its_whole_key():
    runs = [seen("a", params={"x.status": "1"}), seen("b", params={"x.status": "2"})]
    assert columns_of(runs)["x.status"] == ["1", "2"]


def test_a_line_for_each_run_where_there_is_room():
    text, left_out = as_text(columns_of(two()), 100)
    assert text.splitlines() == [
        "run                   status       learning_rate"
        "  test/accuracy  valid/accuracy  valid/loss",
        "20261121-120004-aaaa  finished     0.01           0.1235         0.75*           1*",
        "20261121-120004-bbbb  stopped 2/8  0.001          0.25*          0.5             1.5",
    ]
    assert left_out == []


def test_else_a_column_for_each_run():
    text, left_out = as_text(columns_of(two()), 60)
    assert text.splitlines() == [
        "run             20261121-120004-aaaa  20261121-120004-bbbb",
        "status          finished              stopped 2/8",
        "learning_rate   0.01                  0.001",
        "test/accuracy   0.1235                0.25*",
        "valid/accuracy  0.75*                 0.5",
        "valid/loss      1*                    1.5",
    ]
    assert left_out == []


def test_else_as_much_as_there_is_room_for():
    runs = [
        seen(f"{at:04x}", params={f"model.setting_{i}": f"{at * i}" for i in range(30)})
        for at in range(50)
    ]
    text, left_out = as_text(columns_of(runs), 80)
    lines = text.splitlines()
    assert len(lines) == 51
    assert max(map(len, lines)) <= 80
    heads = lines[0].split()
    assert heads == ["run", "status", "setting_1", "test/accuracy", "valid/accuracy"]
    assert left_out == [*(f"setting_{i}" for i in range(2, 30)), "valid/loss"]


def test_a_terminal_too_narrow_for_anything_still_names_the_runs():
    text, left_out = as_text(columns_of(two()), 5)
    assert text.splitlines()[0] == "run"
    assert len(left_out) == 5


def test_scores_of_single_classes_are_left_to_the_file():
    runs = [seen(end, metrics={"valid/f1": 0.5, "valid/f1_cat": 0.25}) for end in "ab"]
    text, left_out = as_text(columns_of(runs), 200)
    assert "f1_cat" not in text
    assert left_out == []
    assert "valid/f1_cat" in columns_of(runs, exact=True)


def test_a_long_value_is_cut():
    runs = [seen("a", params={"x": "y" * 99}), seen("b")]
    assert "y" * 27 + "…" in as_text(columns_of(runs), 200)[0]
