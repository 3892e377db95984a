import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reprise.tracking.provenance import data_version


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


def recorded(project, pointer):
    return yaml.safe_load((project / pointer).read_text())["outs"][0]["md5"]


def test_tracked_data_is_known_by_dvcs_own_hash(project):
    seen = data_version(project, [Path("data/scans")])
    assert seen.dvc == "verified"
    assert seen.digest == recorded(project, "data/scans.dvc")


def test_a_file_within_tracked_data_belongs_to_it(project):
    seen = data_version(project, [Path("data/table/rows.csv")])
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    assert (seen.digest, seen.dvc) == (lock["stages"]["table"]["outs"][0]["md5"], "verified")


def test_two_tracked_folders_have_a_hash_of_their_own(project):
    both = data_version(project, [Path("data/scans"), Path("data/table")])
    assert both.dvc == "verified"
    assert both.digest not in {data_version(project, [Path("data/scans")]).digest}


def test_a_change_on_disk_is_seen(project):
    (project / "data/scans/a.txt").write_text("b, longer")
    assert data_version(project, [Path("data/scans")]).dvc == "changed on disk since dvc.lock"


def test_untracked_data_is_known_by_its_listing(project, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "x.png").write_bytes(b"123")
    first = data_version(project, [own])
    assert first.dvc == "not tracked"
    (own / "x.png").write_bytes(b"1234")
    assert data_version(project, [own]).digest != first.digest


def test_without_dvc_there_is_a_hash_all_the_same(tmp_path):
    (tmp_path / "x.csv").write_text("1")
    seen = data_version(tmp_path, [tmp_path / "x.csv"])
    assert seen.dvc == "not tracked"
    assert len(seen.digest) == 32


def test_what_comes_from_elsewhere_is_known_by_its_stamp(project):
    first = data_version(project, [], "3 rows")
    assert first.dvc == "not tracked"
    assert first.digest == data_version(project, [], "3 rows").digest
    others = [
        data_version(project, [], "4 rows"),
        data_version(project, [project / "data/table"], "3 rows"),
    ]
    assert first.digest not in {other.digest for other in others}
