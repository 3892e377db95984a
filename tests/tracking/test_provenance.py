import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reprise.tracking.provenance import code, data_version, machine


def git(folder, *args):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", folder, *identity, *args], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "-b", "main")
    (tmp_path / "model.py").write_text("depth = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_a_clean_checkout_is_its_commit_and_where_there_is_none_it_is_said(checkout):
    tags, files = code(checkout)
    assert len(tags["git.commit"]) == 40
    assert (tags["git.branch"], tags["git.dirty"], files) == ("main", "false", {})
    tags, files = code(checkout.parent)
    assert (tags["git.commit"].startswith("none"), files) == (True, {})


def test_a_dirty_checkout_brings_its_new_files_and_a_patch_that_brings_it_back(checkout):
    (checkout / "model.py").write_text("depth = 2\n")
    (checkout / "weights.bin").write_bytes(bytes(range(256)))
    git(checkout, "add", "weights.bin")
    (checkout / "new.py").write_text("x = 1\n")
    tags, files = code(checkout)
    assert tags["git.dirty"] == "true"
    assert files["code/untracked.txt"] == "new.py\n"
    git(checkout, "reset", "--hard")
    (checkout / "patch").write_text(files["code/changes.patch"])
    git(checkout, "apply", "patch")
    assert (checkout / "model.py").read_text() == "depth = 2\n"
    assert (checkout / "weights.bin").read_bytes() == bytes(range(256))


def test_a_user_id_without_a_name_is_recorded_as_a_number(monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert machine()["mlflow.user"].isdecimal()


@pytest.fixture
def project(tmp_path):
    """A project whose data/scans DVC tracks by a pointer file, and data/table by a stage."""

    def call(*args):
        subprocess.run(args, cwd=tmp_path, check=True, capture_output=True)

    call("git", "init")
    call(sys.executable, "-m", "dvc", "init")
    scans = tmp_path / "data" / "scans"
    scans.mkdir(parents=True)
    (scans / "a.txt").write_text("a")
    call(sys.executable, "-m", "dvc", "add", "data/scans")
    stage = {"cmd": "mkdir -p data/table && echo 1 > data/table/rows.csv", "outs": ["data/table"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"table": stage}}))
    call(sys.executable, "-m", "dvc", "repro")
    return tmp_path


def test_tracked_data_is_known_by_dvcs_own_hash_until_it_changes(project):
    scans, table = Path("data/scans"), Path("data/table/rows.csv")  # within what is tracked
    pointer = yaml.safe_load((project / "data/scans.dvc").read_text())
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    one, other, both = (
        data_version(project, sources) for sources in ([scans], [table], [scans, table])
    )
    assert one.digest == pointer["outs"][0]["md5"]
    assert other.digest == lock["stages"]["table"]["outs"][0]["md5"]
    assert {seen.dvc for seen in (one, other, both)} == {"verified"}
    assert both.digest not in {one.digest, other.digest}
    (project / scans / "a.txt").write_text("b, longer")
    assert data_version(project, [scans]).dvc == "changed on disk since dvc.lock"


def test_untracked_data_is_known_by_its_listing(tmp_path):
    digests = set()
    for content in (b"123", b"1234"):
        (tmp_path / "x.png").write_bytes(content)
        for source in (tmp_path, tmp_path / "x.png"):
            seen = data_version(tmp_path, [source])
            assert seen.dvc == "not tracked"
            assert len(seen.digest) == 32
        digests.add(seen.digest)
    assert len(digests) == 2


def test_what_comes_from_elsewhere_is_known_by_its_stamp(tmp_path):
    (tmp_path / "x.csv").write_text("1")
    cases = [([], "3 rows"), ([], "4 rows"), ([tmp_path / "x.csv"], "3 rows"), ([], "3 rows")]
    seen = [data_version(tmp_path, *case) for case in cases]
    assert {one.dvc for one in seen} == {"not tracked"}
    assert len({one.digest for one in seen}) == 3
