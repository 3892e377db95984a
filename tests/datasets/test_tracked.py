import json
import subprocess
import sys
from pathlib import Path

import pytest

from reprise.datasets import tracked
from reprise.datasets.base import find_problems
from reprise.datasets.tracked import NotPulled, pointers, require_pulled
from reprise.files import write_text

POINTER = "outs:\n- md5: 0d12605364792e7a7619b085a81abb62.dir\n  path: bees\n"
LISTING = ".dvc/cache/files/md5/0d/12605364792e7a7619b085a81abb62.dir"
OWN = """
def bees():
    return open("data/bees/list.txt").read()
"""
EXPERIMENT = """# @package _global_
defaults:
  - override /dataset: own
  - override /model: mlp
  - override /objective: classification
"""
PULL = "dvc pull data/bees.dvc"


@pytest.fixture
def root(tmp_path, monkeypatch):
    write_text(tmp_path / "data/bees.dvc", POINTER)
    (tmp_path / "conf").mkdir()
    monkeypatch.setattr(tracked, "ROOT", tmp_path)
    return tmp_path


def remedy(path) -> str:
    with pytest.raises(NotPulled) as error:
        require_pulled(Path(path))
    return error.value.args[3]


def test_the_command_that_fetches_what_is_missing_is_named(root):
    assert remedy("data/bees").endswith(f"data (fetches all that is missing), or {PULL}")
    assert PULL in remedy(root / "data/bees/images/*.png")
    (root / "data/bees").mkdir()  # of a pull that was cut short, say
    assert PULL in remedy("data/bees")
    (root / "dvc.yaml").write_text("stages: {make: {cmd: x, outs: [my table.csv]}}")
    (root / "dvc.lock").write_text("stages: {make: {outs: [{path: my table.csv, md5: a}]}}")
    assert "dvc pull 'my table.csv'" in remedy("my table.csv")


def test_of_a_folder_that_is_there_only_listed_files_are_missing(root):
    write_text(root / "data/bees/a.png", "a")
    require_pulled(Path("data/bees/b.png"))  # the list is not here
    write_text(root / LISTING, json.dumps([{"relpath": "b.png"}, {"relpath": "x/c.png"}]))
    assert PULL in remedy("data/bees/b.png")
    assert PULL in remedy("data/bees/x")
    for path in ("data/bees/a.png", "data/bees/mistyped", "data/bees", "data/wasps", "/nowhere"):
        require_pulled(Path(path))


def test_a_sample_that_is_not_pulled_is_no_damaged_sample(root):
    with pytest.raises(NotPulled):
        find_problems(lambda at: require_pulled(Path("data/bees/1.png")), 3)


def test_pointers_are_found_beside_what_they_stand_for(root):
    write_text(root / "table.csv.dvc", "outs: [{path: table.csv, md5: a}]")
    write_text(root / "data/2026/may.dvc", "outs: [{path: may, md5: a}]")
    write_text(root / "data/broken.dvc", "<<<<<<<")
    assert [*pointers(root)] == ["data/2026/may", "data/bees", "table.csv"]


TABLE = "path,label\n" + "".join(f"bees/{n}.png,{'ab'[n % 2]}\n" for n in range(20))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(
            "config experiment=segmentation dataset.images=data/bees/a dataset.masks=data/bees/b",
            "",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "hash-batches experiment=folder dataset.folder=data/bees", "", marks=pytest.mark.slow
        ),
        pytest.param(
            "check-data experiment=digits dataset.file=null dataset.x=data/bees/x.npy",
            "",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "preview experiment=denoise dataset.url=sqlite:///data/bees/cells.db",
            "",
            marks=pytest.mark.slow,
        ),
        ("hash-batches experiment=table dataset.table=data/table.csv", ""),
        ("hash-batches experiment=own", OWN),
    ],
)
def test_every_dataset_names_the_command(root, words, code):
    (root / "data/table.csv").write_text(TABLE)  # in git, its pictures in DVC
    write_text(root / "conf/dataset/own.yaml", "_target_: own.bees\n")
    write_text(root / "conf/experiment/own.yaml", EXPERIMENT)
    (root / "own.py").write_text(code)
    command = [sys.executable, "-m", "reprise", *words.split()]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert PULL in done.stderr, done.stderr
