"""A run is taken further in a folder of its own: code in one commit, config as an experiment."""

import json
import shutil

import pytest
import yaml
from run_folders import write_run
from shipped import CONF as SHIPPED
from tiny import git

from reprise.config.check import check
from reprise.config.files import HEADER, Conf
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs import clone as module
from reprise.runs.clone import clone, experiment_of
from reprise.runs.folder import CONFIG, IDENTITY, PACKAGES, SNAPSHOT
from reprise.runs.load import find
from reprise.tracking.journal import Journal
from reprise.tracking.provenance import packages
from reprise.tracking.snapshot import take_snapshot


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Make the record of a run in `project/`, whose code was never committed."""
    project = tmp_path / "project"
    monkeypatch.setattr(module, "ROOT", project)
    (project / "src").mkdir(parents=True)
    (project / "src/net.py").write_text("relu")
    git(project, "init", "-q")

    def write(run, **identity):
        folder = write_run(project / "runs", run)
        found = take_snapshot(project, tmp_path / "code", [project / "runs"])
        (folder / SNAPSHOT).parent.mkdir()
        shutil.copy(tmp_path / f"code/{found.tree}.bundle", folder / SNAPSHOT)
        Journal(folder, print).add("tags", values={"code.tree": found.tree})
        (folder / PACKAGES).write_text(packages())
        now = json.loads((folder / IDENTITY).read_text())
        (folder / IDENTITY).write_text(json.dumps({**now, **identity}))
        config = yaml.safe_load((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(yaml.safe_dump({**config, "dataset": {}, "seed": 3}))
        return find(run, project / "runs")

    return write


def test_one_commit_has_the_code_and_the_config_and_git_sees_nothing_else(record, tmp_path):
    saved = record("20260101-000000-abcd")
    project, command = clone(saved, [], tmp_path / "taken", here=[])
    assert project == tmp_path / "taken"
    name = "digits_20260101-000000-abcd"
    assert command.endswith(f" -m reprise train experiment={name}")
    assert git(project, "log", "--format=%s") == "run 20260101-000000-abcd of digits\n"
    tracked = git(project, "ls-files").split()
    assert tracked == [f"conf/experiment/{name}.yaml", "src/net.py"]
    assert git(project, "status", "--porcelain") + git(project, "remote") == ""
    (project / "src/net.py").write_text("tanh")
    (project / "src/new.py").touch()
    assert git(project, "status", "--porcelain") == " M src/net.py\n?? src/new.py\n"
    there = find(saved.folder.name, project / "runs")
    assert there.config == saved.config
    written = yaml.safe_load((project / tracked[0]).read_text())
    assert (written["seed"], written["tracking"]["runs"]) == (3, "runs")


def test_an_update_is_trained_again_by_a_command_from_the_model_that_is_there(record, tmp_path):
    parent = record("20260101-000000-abcd")
    saved = record("20260102-000000-abcd", parent=parent.folder.name, old=0.25)
    project, command = clone(saved, [parent], tmp_path / "taken", here=[])
    assert " again.sh " in command
    words = (project / "again.sh").read_text()
    assert f"update run={parent.folder.name} " in words.replace("\\\n  ", "")
    assert "old=0.25" in words
    assert find(parent.folder.name, project / "runs").config == parent.config


def test_a_folder_in_use_and_code_that_is_not_recorded_are_refused(record, tmp_path):
    saved, place = record("20260101-000000-abcd"), tmp_path / "taken"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="in use"):
        clone(saved, [], place, here=[])
    with pytest.raises(UserError, match="in use"):
        clone(saved, [], place / "mine.txt", here=[])
    with pytest.raises(UserError, match="in this project"):
        clone(saved, [], tmp_path / "project/taken", here=[])
    assert (place / "mine.txt").read_text() == "mine"
    (place / "mine.txt").unlink()
    (saved.folder / SNAPSHOT).write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be rebuilt"):
        clone(saved, [], place, here=[])
    (saved.folder / SNAPSHOT).unlink()
    with pytest.raises(UserError, match=r"(?s)is not recorded.*code=here"):
        clone(saved, [], place, here=[])
    assert not place.exists()


@pytest.mark.parametrize("experiment", SHIPPED["experiment"])
def test_an_experiment_of_every_value_composes_to_the_same(tmp_path, experiment):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    odd = ["optimizer=sgd", "seed=7", "loader.workers=2", "tracking.experiment='a \\${b} ü: 1'"]
    for words in ([], odd):
        before = check([f"experiment={experiment}", *words], providable=lambda path: True)
        node = experiment_of(before.values, before.choices, Conf(tmp_path / "conf"))
        text = f"{HEADER}\n{yaml.safe_dump(node)}"
        (tmp_path / "conf/experiment/again.yaml").write_text(text)
        again = check(["experiment=again"], tmp_path / "conf", lambda path: True)
        assert again.values == before.values
        assert {**again.choices, "experiment": experiment} == before.choices
