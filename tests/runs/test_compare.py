"""`make compare` over folders of runs: which runs, which table, which files."""

import csv
import json
import subprocess
import sys

import cv2
import pytest
from run_folders import write_run
from tiny import reprise

from reprise.cli import compare
from reprise.errors import UserError
from reprise.runs.job import JOB

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
    assert done.stdout.splitlines() == [
        "experiment digits",
        "",
        "run                   status       data   "
        "  learning_rate  test/iou  valid/iou  valid/loss",
        f"{A}  finished     ddddddd  0.001          0.5       0.75*      -",
        f"{B}  finished     ddddddd  0.01           0.625*    0.5        -",
        f"{C}  stopped 3/8  eeeeeee  0.01           -         0.2        0.5",
        "",
        "note: the runs saw different data: their metrics do not compare",
        f"whole table  {runs}/compare/experiment_digits.csv",
        f"curves       {runs}/compare/experiment_digits.png",
    ]
    with (runs / "compare/experiment_digits.csv").open(newline="") as file:
        first, *rest = csv.DictReader(file)
    assert first["run"] == A
    assert (first["optimizer.learning_rate"], first["valid/iou"]) == ("0.001", "0.75")
    assert len(rest) == 2
    assert cv2.imread(str(runs / "compare/experiment_digits.png")).shape[1] == 2 * 500


def test_nothing_heavy_is_imported(runs):
    code = (
        f"import sys; from reprise.cli import compare; compare.main(['folder={runs}', 'top=1']); "
        "print([name for name in ('tensorflow', 'keras', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


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


def test_of_a_run_that_has_no_numbers_yet_there_is_no_picture(runs, capsys):
    assert "curves" not in compared(runs, "experiment=iris", capsys=capsys)
    assert not (runs / "compare/experiment_iris.png").exists()


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
    ],
)
def test_what_cannot_be_compared_is_refused(runs, words, said):
    with pytest.raises(UserError, match=f"(?s){said}"):
        compare.main([*words, f"folder={runs}"])


def test_where_there_is_no_run_yet_it_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match=r"(?s)no run yet.*make train exp=NAME"):
        compare.main([f"folder={tmp_path}"])


def test_fifty_runs_are_one_screen(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for at in range(50):
        rate = {"learning_rate": at / 100}
        write_run(tmp_path, f"20261121-1200{at:02d}-{at:04x}", settings=rate, epochs=2)
    out = compared(tmp_path, capsys=capsys)
    assert len(out.splitlines()) == 2 + 21 + 2 + 2
    assert max(map(len, out.splitlines()[:23])) <= 80
    assert "note: the first 20 of 50 runs; more with top=N" in out
