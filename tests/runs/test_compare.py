"""`make compare` over folders of runs: which runs, which table, which files."""

import csv
import json
import math
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from run_folders import write_run
from tiny import reprise

from reprise.cli import compare
from reprise.errors import UserError
from reprise.runs.compare import (
    RunSummary,
    changed_settings,
    is_lower_better,
    layout,
    ranked,
    rounded,
    table_of,
    write_curves,
)
from reprise.runs.folder import JOB

A, B, C, D = (f"20261121-12000{at}-{4 * end}" for at, end in enumerate("abcd"))


@pytest.fixture
def runs(tmp_path):
    """Two finished runs, one that is stopped, and one of another experiment; two are a sweep's."""
    runs = tmp_path / "runs"
    first = write_run(runs, A, result={"valid/iou": 0.75, "test/iou": 0.5})
    rate = {"learning_rate": 0.01}
    second = write_run(runs, B, settings=rate, result={"valid/iou": 0.5, "test/iou": 0.625})
    write_run(runs, C, settings=rate, data_digest="e" * 32)
    write_run(runs, D, experiment="iris", epochs=0)
    for folder in (first, second):
        (folder / JOB).write_text(json.dumps({"sweep": "20261121-110000-5555"}))
    (runs / "last").symlink_to(f"digits/{C}")
    return runs


def compared(runs, *words, capsys):
    compare.main([*words, f"folder={runs}"])
    return capsys.readouterr().out


def test_the_command_line_shows_a_table_and_writes_it_and_a_picture(runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    done = reprise("compare", "experiment=digits", f"folder={runs}")
    assert (done.returncode, done.stderr) == (0, "")
    assert [re.split("  +", line) for line in done.stdout.splitlines()] == [
        ["experiment digits"],
        [""],
        ["run", "status", "data learning_rate test/iou valid/iou valid/loss"],
        [A, "finished", "ddddddd", "0.001", "0.5", "0.75*", "-"],
        [B, "finished", "ddddddd", "0.01", "0.625*", "0.5", "-"],
        [C, "stopped 3/8", "eeeeeee", "0.01", "-", "0.2", "0.5"],
        [""],
        ["note: the runs saw different data: their metrics do not compare"],
        ["whole table", f"{runs}/compare/experiment_digits.csv"],
        ["curves", f"{runs}/compare/experiment_digits.png"],
    ]
    with (runs / "compare/experiment_digits.csv").open(newline="") as file:
        first, *rest = csv.DictReader(file)
    assert first["run"] == A
    assert (first["optimizer.learning_rate"], first["valid/iou"]) == ("0.001", "0.75")
    assert len(rest) == 2
    assert cv2.imread(str(runs / "compare/experiment_digits.png")).shape[1] == 2 * 500


def test_nothing_heavy_is_imported(runs):
    """Of a run that has no numbers yet, which has no picture either."""
    code = (
        f"import sys; from reprise.cli import compare; compare.main(['folder={runs}', 'top=1']); "
        "print([name for name in ('tensorflow', 'keras', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "curves" not in done.stdout
    assert not (runs / "compare/experiment_iris.png").exists()


@pytest.mark.parametrize(
    ("words", "title", "ids"),
    [
        (["sweep=20261121-110000-5555"], "sweep 20261121-110000-5555", [A, B]),
        ([f"runs={B},{A}"], "runs bbbb,aaaa", [A, B]),
        ([f"runs={A},{A},last"], "runs aaaa,cccc", [A, C]),
        ([f"runs={A}"], "runs aaaa", [A]),
        ([], "experiment iris", [D]),
        (["experiment=digits", "sort=test/iou", "top=2"], "experiment digits", [B, A]),
        (["experiment=digits", "sort=newest"], "experiment digits", [C, B, A]),
    ],
)
def test_which_runs_are_shown_and_in_which_order(runs, words, title, ids, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    out = compared(runs, *words, capsys=capsys)
    assert out.splitlines()[0] == title
    assert [line.split()[0] for line in out.splitlines() if line.startswith("20261121")] == ids
    more = ["note: the first 2 of 3 runs; more with top=N"] if "top=2" in words else []
    assert [line for line in out.splitlines() if line.startswith("note: the first")] == more


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["experiment=audio"], r"no run of 'audio'.*expected +digits, iris"),
        (["sweep=x"], r"no run of a sweep 'x'.*newest sweeps are: 20261121-110000-5555"),
        (["runs=last,x"], r"no run 'x'.*newest runs are: .*dddd"),
        (["runs=last", "sweep=x"], r"which runs\?.*sweep=x runs=last.*keep one"),
        (["sort=test/iuo", "experiment=digits"], r"no run has test/iuo.*newest, test/iou"),
        (["top=0"], r"top is wrong.*top=0"),
        (["top=many"], r"top is wrong.*top=many"),
        (["exp=digits"], r"'exp' is not an option.*experiment=…"),
        (["folder=/nowhere"], r"no run yet.*make train exp=NAME"),
    ],
)
def test_what_cannot_be_compared_is_refused(runs, words, said):
    with pytest.raises(UserError, match=f"(?s){said}"):
        compare.main([f"folder={runs}", *words])


def seen(end, **changes):
    """A finished run whose id ends in `end`, and which is as all others but for `changes`."""
    facts = {
        "id": f"20261121-1200{len(end):02d}-{end}",
        "status": "finished",
        "choices": {"experiment": "digits", "model": "cnn"},
        "params": {"optimizer.learning_rate": "0.001", "model.units": "[128]", "seed": "0"},
        "metrics": {"valid/accuracy": 0.5, "test/accuracy": 0.25, "valid/loss": 1.5},
        "history": {},
        "data": "d" * 32,
        "code": "c" * 40,
        "monitor": "valid/accuracy",
        "mode": "max",
    }
    return RunSummary(**facts | changes)


FAST = {"optimizer.learning_rate": "0.01", "model.units": "[128]", "seed": "0"}


def changed(runs):
    settings = changed_settings(runs).astype(object)
    return settings.where(settings.notna(), None).to_dict("list")


def test_what_differs_is_named_with_the_value_of_each_run():
    more = FAST | {"update.parent": "x"}
    assert changed([seen("a"), seen("b", params=FAST), seen("c", params=more)]) == {
        "optimizer.learning_rate": ["0.001", "0.01", "0.01"],
        "update.parent": [None, None, "x"],
    }
    assert changed([seen("a"), seen("b")]) == changed([seen("a")]) == {}


def test_what_another_option_brings_with_it_is_told_by_the_option():
    mlp = {"experiment": "digits", "model": "mlp"}
    own = seen("a").params | {"model.units": "[64]", "model.act": "relu"}
    runs = [seen("a"), seen("b", choices=mlp, params=own)]
    assert changed(runs) == {"model": ["cnn", "mlp"]}
    runs.append(seen("c", choices=mlp, params=own | {"model.units": "[9]"}))
    units = ["[128]", "[64]", "[9]"]
    assert changed(runs) == {"model": ["cnn", "mlp", "mlp"], "model.units": units}


def shown(runs):
    return rounded(table_of(runs), runs)


def two():
    better = {"valid/accuracy": 0.75, "test/accuracy": 0.123456789, "valid/loss": 1.0}
    return [seen("aaaa", params=FAST, metrics=better), seen("bbbb", status="stopped 2/8")]


def test_only_what_differs_is_a_column_and_the_best_is_marked():
    assert shown(two()).to_dict("list") == {
        "status": ["finished", "stopped 2/8"],
        "learning_rate": ["0.01", "0.001"],
        "test/accuracy": ["0.1235", "0.25*"],
        "valid/accuracy": ["0.75*", "0.5"],
        "valid/loss": ["1*", "1.5"],
    }
    exact = table_of(two())
    assert list(exact["test/accuracy"]) == [0.123456789, 0.25]
    assert list(exact["optimizer.learning_rate"]) == ["0.01", "0.001"]


def test_other_data_and_other_code_are_shown():
    changed = "c" * 40 + "+" + "f" * 64
    runs = [seen("a"), seen("b", data="e" * 32), seen("c", code=changed)]
    assert list(shown(runs)["data"]) == ["d" * 7, "e" * 7, "d" * 7]
    assert list(shown(runs)["code"]) == ["c" * 7, "c" * 7, "c" * 7 + "+" + "f" * 7]
    assert list(table_of(runs)["code"]) == ["c" * 40, "c" * 40, changed]


@pytest.mark.parametrize("width", [100, 60])
def test_a_line_for_each_run_where_there_is_room_else_a_column(width):
    table = shown(two())
    rows = [["run", *table], *([run, *cells] for run, *cells in table.itertuples())]
    rows = rows if width == 100 else zip(*rows, strict=True)
    text, left_out = layout(table, width)
    assert [line.split() for line in text.splitlines()] == [" ".join(row).split() for row in rows]
    assert max(map(len, text.splitlines())) <= width
    assert left_out == []


def test_fifty_runs_are_one_screen_with_as_much_as_there_is_room_for(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for at in range(50):
        settings = {f"setting_{i}": at * i for i in range(30)}
        write_run(tmp_path, f"20261121-1200{at:02d}-{at:04x}", settings=settings, epochs=2)
    lines = compared(tmp_path, capsys=capsys).splitlines()
    assert max(map(len, lines[:23])) <= 80
    heads = "run status setting_1 setting_10 valid/iou valid/loss"
    assert " ".join(lines[2].split()) == heads
    assert "note: the first 20 of 50 runs; more with top=N" in lines
    assert len(lines) < 30


def test_scores_of_single_classes_are_left_to_the_file_and_long_values_cut():
    metrics = {"valid/f1": 0.5, "valid/f1_cat": 0.25}
    runs = [seen(end, metrics=metrics, params={"x": end * 99}) for end in "yz"]
    text, left_out = layout(shown(runs), 200)
    assert "f1_cat" not in text
    assert " " + "y" * 24 + "..." in text
    assert left_out == []
    assert "valid/f1_cat" in table_of(runs)


def ends(runs):
    return "".join(run.id[-1] for run in runs)


@pytest.fixture
def runs_by_age():
    """From old to new; the last one has no result yet, the third a useless one."""
    values = (0.5, 0.75, math.nan, 0.5)
    metrics = [*({"valid/accuracy": value} for value in values), {}]
    return [
        seen(end, id=f"20261121-12000{at}-000{end}", metrics=metrics[at])
        for at, end in enumerate("abcde")
    ]


def test_the_best_comes_first_and_of_equals_the_newest(runs_by_age):
    assert ends(ranked(runs_by_age, "")) == "bdaec"
    assert ends(ranked(runs_by_age[:4], "valid/accuracy")) == "bdac"
    assert ends(ranked(runs_by_age, "newest")) == "edcba"
    losses = [seen(end, metrics={"valid/loss": at}) for at, end in enumerate("abc")]
    assert ends(ranked(losses, "valid/loss")) == "abc"


@pytest.mark.parametrize(
    ("metric", "monitor", "mode", "lower"),
    [
        ("test/iou", "valid/iou", "max", False),
        ("test/distance", "valid/distance", "min", True),
        ("test/distance", "valid/iou", "max", False),
        ("test/loss", "valid/iou", "max", True),
        ("valid/mae", "valid/iou", "max", True),
        ("valid/r2", "valid/mae", "min", False),
    ],
)
def test_which_way_is_better_follows_the_monitor_then_the_name(metric, monitor, mode, lower):
    assert is_lower_better(metric, [seen("a", monitor=monitor, mode=mode)]) is lower


def test_the_best_is_marked_where_there_is_another_to_compare(runs_by_age):
    a, b, c, d, e = runs_by_age
    for few, cells in (
        ([a, b, c, d, e], ["0.5", "0.75*", "nan", "0.5", "-"]),
        ([a, d], ["0.5*", "0.5*"]),
        ([a, c], ["0.5", "nan"]),
    ):
        assert list(shown(few)["valid/accuracy"]) == cells


def trained(end, worst=1.0, epochs=5, **changes):
    curve = {epoch: worst / epoch for epoch in range(1, epochs + 1)}
    names = ("train/loss", "valid/loss", "valid/accuracy", "valid/f1", "valid/f1_cat")
    return seen(end, history=dict.fromkeys([*names, "time/epoch_s"], curve), **changes)


def colours(path):
    return {tuple(colour) for colour in cv2.imread(str(path)).reshape(-1, 3)[:, ::-1].tolist()}


BLUE, ORANGE, GREY = (31, 119, 180), (255, 127, 14), (211, 211, 211)


def test_every_run_has_a_line_in_every_metric(tmp_path):
    path = tmp_path / "curves.png"
    assert write_curves(path, [trained("a"), trained("b", worst=2.0)])
    picture = cv2.imread(str(path))[..., ::-1]
    assert picture.shape[1] == 3 * 500  # accuracy, loss, f1; no single class
    assert {BLUE, ORANGE} <= colours(path)
    for third in np.split(picture[:330], 3, axis=1):  # above the legend
        assert (third == BLUE).all(axis=-1).sum() > 50
        assert (third == ORANGE).all(axis=-1).sum() > 50
