"""Where runs are found: at any depth, through links, and among what else lies there."""

import json
import os
import shutil

import pytest
from run_folders import write_run

from reprise.cli import compare
from reprise.cli import runs as list_runs
from reprise.errors import UserError
from reprise.runs.folder import IDENTITY, JOB, held, new_folder, require_place
from reprise.runs.load import find
from reprise.tracking.folders import folder_named, home, run_folders

A, B, C, D = (f"20261121-12000{at}-{4 * end}" for at, end in enumerate("abcd"))


def link_last(runs, experiment, run):
    (runs / "last").unlink(missing_ok=True)
    (runs / "last").symlink_to(f"{experiment}/{run}")


@pytest.fixture
def runs(tmp_path):
    """A real run, one of a nested experiment, and two of debug=…, each with their link `last`."""
    runs = tmp_path / "runs"
    write_run(runs, A)
    write_run(runs, B, experiment="team/deep/iris")
    link_last(runs, "digits", A)
    for run in (C, D):
        folder = write_run(runs / "debug", run, experiment="digits")
        (folder / JOB).write_text(json.dumps({"sweep": "20261121-110000-5555"}))
    link_last(runs / "debug", "digits", D)
    return runs


def names(folders):
    return [folder.name for folder in folders]


def test_each_run_is_found_once_and_knows_where_it_is(runs):
    assert names(run_folders(runs)) == names(run_folders(runs, IDENTITY)) == [A, B, C, D]
    assert {home(folder) for folder in run_folders(runs)} == {runs}
    assert folder_named(B, runs) == runs / "team/deep/iris" / B
    assert folder_named("x", runs) is None
    assert run_folders(runs / "nowhere") == []


def test_last_is_a_real_run_whatever_debug_runs_came_after(runs):
    assert find("last", runs).folder.name == A
    assert find("last", runs / "debug").folder.name == D
    assert find(C, runs).folder == runs / "debug/digits" / C
    assert find(A, runs / "debug").folder == runs / "digits" / A  # the parent of a debug update
    (runs / "last").unlink()  # a copy without links: the newest id
    assert find("last", runs).folder.name == B
    link_last(runs, "digits", "gone")
    with pytest.raises(UserError, match=r"(?s)no run 'last'.*a link to digits/gone, where no run"):
        find("last", runs)


def test_an_experiment_in_a_folder_is_one_for_every_verb(runs, capsys):
    assert find(B, runs).experiment == "team/deep/iris"
    assert (
        find(f"team/deep/iris/{B}", runs).folder
        == find(str(runs / "team/deep/iris" / B), runs).folder
    )
    list_runs.main([f"runs={runs}"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [[A, "digits"], [B, "team/deep/iris"]]
    assert lines[2].startswith("2 more with debug=")
    compare.main([f"folder={runs}"])
    assert capsys.readouterr().out.splitlines()[0] == "experiment team/deep/iris"
    assert (runs / "compare/experiment_team_deep_iris.csv").exists()


def test_a_sweep_of_debug_runs_is_compared_with_all_its_rows(runs, capsys):
    compare.main([f"folder={runs}", "sweep=20261121-110000-5555"])
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:4] == "2026"]
    assert sorted(rows) == [C, D]
    compare.main([f"folder={runs}", "experiment=debug/digits"])
    assert C in capsys.readouterr().out


def test_what_else_lies_there_is_in_nobodys_way(runs, tmp_path, capsys):
    (runs / "digits/notes.txt").write_text("x")
    (runs / "digits/gone").symlink_to("nowhere")
    (runs / "digits/best").symlink_to(A)
    (runs / "round").symlink_to("..")
    (runs / "itself").symlink_to("itself")
    shutil.copytree(runs / "digits" / A, runs / "mlartifacts/digits/1/artifacts")
    (tmp_path / "disk/far").mkdir(parents=True)
    shutil.move(runs / "team", tmp_path / "disk/team")
    (runs / "team").symlink_to(tmp_path / "disk/team")  # another disk
    (tmp_path / "disk/team/again").symlink_to(tmp_path / "disk/team")
    assert names(run_folders(runs)) == [A, B, C, D]
    half = write_run(runs, "20261121-120009-eeee")
    (half / "config.yaml").unlink()
    list_runs.main([f"runs={runs}"])
    assert "eeee  digits         cannot be read: FileNotFoundError" in capsys.readouterr().out
    with pytest.raises(UserError, match="record of run 20261121-120009-eeee cannot be read"):
        find(half.name, runs)
    compare.main([f"folder={runs}", "experiment=digits"])
    assert "note: 20261121-120009-eeee cannot be read" in capsys.readouterr().out


def test_a_copy_of_a_run_is_not_taken_for_it(runs, capsys):
    shutil.copytree(runs / "digits", runs / "saved")
    with pytest.raises(UserError, match=rf"(?s)several runs are '{A}'.*digits/{A}\n.*saved/{A}"):
        find(A, runs)
    assert find(f"saved/{A}", runs).folder == runs / "saved" / A
    shutil.copytree(runs / "debug/digits", runs / "debug/saved")
    compare.main([f"folder={runs}", "sweep=20261121-110000-5555"])
    said = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in said if line[:4] == "2026") == [C, D]
    assert sum("is left out: the run stands there twice" in line for line in said) == 2


@pytest.mark.parametrize("name", ["last", "digits", "debug"])
def test_an_odd_folder_stops_no_later_run(runs, name, capsys):
    """A folder `last` that an earlier version has made, say."""
    shutil.rmtree(runs / name) if (runs / name).is_dir() and name != "last" else None
    (runs / "last").unlink(missing_ok=True)
    write_run(runs, "x", experiment=name)
    folder = new_folder(runs, "digits")
    assert folder.is_dir()
    assert ("run=last does not name this run" in capsys.readouterr().err) == (name == "last")
    assert "x" in names(run_folders(runs))


def test_where_no_run_can_be_made_is_said_before_there_is_one(runs, tmp_path):
    for experiment in (f"digits/{A}", f"digits/{A}/pictures"):
        with pytest.raises(UserError, match="is a run itself"):
            require_place(runs, experiment)
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("/nowhere/at/all")
    for place, why in (("file", "is no folder"), ("link", "is a link that leads nowhere")):
        with pytest.raises(UserError, match=why):
            new_folder(tmp_path / place, "digits")
    assert not (runs / "new").exists()
    require_place(runs, "new/er")
    assert not (runs / "new").exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_a_folder_of_somebody_else_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=r"must not be written to; it belongs to user \d+"):
        require_place(tmp_path / "runs", "digits")


def test_a_run_that_trains_is_not_resumed(runs):
    from reprise.runs.resume import resume

    with held(runs / "digits" / A), pytest.raises(UserError, match="being trained right now"):
        resume(A, runs, [])
