"""A dataset of the user's own whose samples are not the same each time, which only they can see."""

import shutil

import pytest
from tiny import call, new_store

OWN = """
import os, random
import numpy as np
from reprise.datasets.base import Dataset
from reprise.spec import Spec

class Own(Dataset):
    def __init__(self, kind):
        self.kind, self.rng = kind, np.random.default_rng(1)
        self.x = self.rng.normal(size=(60, 8)).astype("float32")
        self.numbers = list(range(60))
        if kind == "shuffled":
            random.shuffle(self.numbers)
        if kind == "a set":
            self.numbers = [int(name) for name in {str(number) for number in self.numbers}]
        self.input_spec = Spec((8,), "float32")
        self.target_spec = Spec((), "int64", ("a", "b"))

    def __len__(self):
        return 60

    def name(self, index):
        return f"sample {self.numbers[index]}"

    def splits(self):
        return {"train": np.arange(40), "valid": np.arange(40, 60)}

    def read(self, index, rng):
        number = self.numbers[index]
        x = self.x[number]
        if self.kind == "noise":
            x = x + np.random.normal(size=8).astype("float32")
        if self.kind == "augmented" and rng is not None:
            x = x * np.float32(random.random())
        if self.kind == "state":
            x = x + self.rng.normal(size=8).astype("float32")
        if self.kind == "process":
            x = x + np.float32(os.getpid())
        if self.kind == "kept":
            x += 1
        if self.kind == "sound" and rng is not None:
            x = x + rng.normal(size=8).astype("float32")
        return x, np.int64(self.x[number, 0] > 0)
"""
EXPERIMENT = """
# @package _global_
defaults:
  - override /dataset: own
  - override /model: mlp
  - override /objective: classification
"""
TWICE, ELSEWHERE = "read twice with ", "another process"
KINDS = {
    "noise": TWICE, "augmented": TWICE, "state": TWICE, "kept": TWICE,
    "process": ELSEWHERE, "shuffled": ELSEWHERE, "a set": ELSEWHERE,
}  # fmt: skip


@pytest.fixture
def project(tmp_path):
    for folder in ("conf/experiment", "conf/dataset", "src/mine"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/mine/own.py").write_text(OWN)
    (tmp_path / "conf/experiment/own.yaml").write_text(EXPERIMENT)
    (tmp_path / "conf/dataset/own.yaml").write_text("_target_: mine.own.Own\nkind: sound\n")
    yield tmp_path
    shutil.rmtree(tmp_path)


def check(project, kind):
    return call(project, "check-data", "experiment=own", f'dataset.kind="{kind}"')


def test_a_sound_one_is(project):
    done = check(project, "sound")
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0, "60 samples read, all sound: 40 train, 20 valid"
    )  # fmt: skip


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != "process"]


@pytest.mark.parametrize("kind", ["process", *SLOW])
def test_what_changes_is_found(project, kind):
    done = check(project, kind)
    assert done.returncode == 2
    assert KINDS[kind] in done.stderr


def test_a_run_begins_with_no_data_that_change(project):
    new_store(project)
    done = call(project, "train", "experiment=own", "dataset.kind=state")
    assert done.returncode == 2
    assert "sample 0: read twice with no rng, it is another sample" in done.stderr
    assert not (project / "runs").exists()
