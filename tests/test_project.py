"""A project in a folder of its own, apart from the engine's checkout."""

import multiprocessing
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import write_arrays

from reprise import project
from reprise.config.check import check
from reprise.errors import UserError

ENGINE = project.ROOT
MINE = """\
# @package _global_
defaults:
  - override /dataset: arrays
  - override /model: cnn
  - override /objective: classification
dataset:
  file: arrays.npz
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that has nothing but an experiment and its data."""
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (tmp_path / "conf/experiment/mine.yaml").write_text(MINE)
    (tmp_path / "arrays.npz").touch()
    (tmp_path / "notes/deep").mkdir(parents=True)
    return tmp_path


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call Python in a folder."""
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)


def test_the_root_is_the_nearest_folder_with_a_conf(folder):
    assert project.find_root(folder) == folder
    assert project.find_root(folder / "notes/deep") == folder
    (folder / "notes/conf").mkdir()
    assert project.find_root(folder / "notes/deep") == folder / "notes"
    assert project.find_root(project.PACKAGE) == ENGINE  # not the package, which has a conf/ too


def test_everything_starts_from_the_root_in_workers_too(folder):
    (folder / "own.py").write_text(
        "import os\nfrom reprise.project import ROOT\n"
        "def say() -> None: print(ROOT, os.getcwd(), flush=True)\n"
    )
    code = (
        "import multiprocessing; from reprise import project; project.enter(); import own; "
        "own.say(); multiprocessing.get_context('{}').Pool(1).apply(own.say)"
    )
    for method in multiprocessing.get_all_start_methods():
        done = call(folder / "notes/deep", "-c", code.format(method))
        assert done.stdout == 2 * f"{folder} {folder}\n", done.stderr


def test_importing_is_no_mistake_where_there_is_no_project(tmp_path):
    done = call(tmp_path, "-c", "import reprise.project as p, reprise.config.check; print(p.ROOT)")
    assert done.stdout == f"{tmp_path}\n"
    done = call(tmp_path, "-m", "reprise", "config", "experiment=digits")
    assert done.returncode == 2
    assert f"{tmp_path} is no project\n  expected  a folder conf/ in it" in done.stderr
    assert "mkdir conf" in done.stderr


def test_a_projects_experiment_stands_beside_the_engines(folder):
    done = call(folder / "notes", "-m", "reprise", "config", "experiment=mine", "seed=3")
    assert "experiment=mine" in done.stdout
    conf = folder / "conf"
    mine = check(["experiment=mine", "seed=3"], conf)
    assert mine.values["seed"] == 3
    digits = check(["experiment=digits"], conf, providable=lambda path: path.is_relative_to(folder))
    assert digits.values["dataset"]["file"] == "data/digits/digits.npz"


def test_without_a_name_the_only_experiment_is_taken(folder):
    done = call(folder, "-m", "reprise", "config")
    assert (done.returncode, done.stderr) == (0, "experiment=mine\n")
    given = call(
        folder,
        "-m",
        "reprise",
        "config",
        "dataset=generator",
        "model=mlp",
        "objective=classification",
    )
    assert "experiment=" not in given.stderr + given.stdout


@pytest.mark.parametrize("verb", ["train", "sweep", "check-data"])
def test_of_several_experiments_one_is_asked_for_and_without_a_terminal_they_are_listed(
    folder, verb
):
    (folder / "conf/experiment/other.yaml").write_text(f"# @package _global_\n# Whose?\n{MINE}")
    done = call(folder, "-m", "reprise", verb)
    assert done.returncode == 2
    for said in ("no experiment is chosen", " mine\n", " other  Whose?", f"reprise {verb} exp"):
        assert said in done.stderr
    assert "segmentation" not in done.stderr


@pytest.mark.parametrize("answer", ["2", "other", "9\nother"])
def test_at_a_terminal_the_experiment_is_asked_for(folder, answer):
    (folder / "conf/experiment/other.yaml").write_text(MINE)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb") as terminal:
        terminal.write(f"{answer}\n".encode())
        terminal.flush()
        command = [sys.executable, "-m", "reprise", "config"]
        done = subprocess.run(command, cwd=folder, stdin=theirs, stderr=theirs, stdout=-1)
    os.close(theirs)
    assert done.returncode == 0
    assert b"experiment=other" in done.stdout


def test_a_projects_file_wins_over_the_engines_of_the_same_name(folder):
    (folder / "conf/model").mkdir()
    text = (ENGINE / "conf/model/cnn.yaml").read_text()
    (folder / "conf/model/cnn.yaml").write_text(text.replace("dropout: 0.25", "dropout: 0.125"))
    assert check(["experiment=mine"], folder / "conf").values["model"]["dropout"] == 0.125


def test_mistakes_name_the_files_and_options_of_both(folder):
    (folder / "conf/experiment/mine.yaml").write_text(MINE + "seeed: 3\n")
    with pytest.raises(UserError) as caught:
        check(["experiment=mine"], folder / "conf")
    assert "(conf/experiment/mine.yaml, line 8)" in str(caught.value)
    with pytest.raises(UserError) as caught:
        check(["experiment=digits", "dataset.augment=null"], folder / "conf")
    assert f"({project.ENGINE_CONF / 'experiment/digits.yaml'}, line" in str(caught.value)
    (folder / "conf/experiment/mine.yaml").write_text(MINE)
    for typed, meant in (("mien", "mine"), ("digit", "digits")):
        with pytest.raises(UserError) as caught:
            check([f"experiment={typed}"], folder / "conf")
        assert re.search(r"one of: .*digits, .*mine, ", str(caught.value))
        assert f"did you mean {meant}?" in str(caught.value)


@pytest.mark.slow
def test_a_run_in_a_project_keeps_everything_there(folder):
    write_arrays(folder / "arrays.npz")
    words = ("experiment=mine", "trainer.epochs=1", "trainer.steps_per_epoch=2")
    done = call(folder / "notes", "-m", "reprise", "train", *words)
    assert done.returncode == 0, done.stderr
    made = {path.name for path in folder.iterdir()} - {"conf", "arrays.npz", "notes"}
    assert made == {"runs", "mlflow.db", "mlartifacts"}
    (lock,) = (folder / "runs/mine").glob("*/requirements.lock")
    assert "\nhydra-core==" in lock.read_text()
