import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny import git

from reprise.files import write_text
from reprise.tracking import provenance
from reprise.tracking.provenance import code, data_version, machine


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


@pytest.mark.parametrize(
    ("made", "commit", "branch", "dirty"),
    [
        ("none", "none: fatal: not a git repository", None, None),
        ("unborn", "none: fatal: Needed a single revision", None, None),
        ("strange", "none: fatal: detected dubious ownership", None, None),
        ("no git", "none: git is not installed", None, None),
        ("slow", "none: Command", None, None),
        ("bare", "", "main", "unknown: fatal: this operation must be run in a work tree"),
        ("detached", "", "none: HEAD is detached", "false"),
    ],
)
def test_what_git_does_not_tell_is_recorded_with_the_reason(
    checkout, tmp_path_factory, monkeypatch, made, commit, branch, dirty
):
    place = tmp_path_factory.mktemp("place")
    if made == "unborn":
        git(place, "init", "-q")
    elif made == "bare":
        git(checkout, "clone", "-q", "--bare", checkout, place)
    elif made != "none":
        place = checkout
    if made == "detached":
        git(checkout, "checkout", "-q", "--detach")
    if made == "strange":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    if made == "no git":
        monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
    if made == "slow":
        monkeypatch.setattr(provenance, "TIMEOUT_S", 0.0)
    tags, files = code(place)
    assert tags["git.commit"].startswith(commit)
    assert (tags.get("git.branch"), tags.get("git.dirty")) == (branch, dirty)
    assert files == {}


def test_a_patch_can_be_applied_whatever_git_is_set_to_and_the_files_are_written_in(checkout):
    """In Latin-1, say; the user's git colours, drops prefixes, and has another diff program."""
    (checkout / "model.py").write_bytes("tiefe = 'größer'\n".encode("latin-1"))
    for key, value in (("color.ui", "always"), ("diff.noprefix", "true"), ("diff.external", "x")):
        git(checkout, "config", key, value)
    _, files = code(checkout)
    git(checkout, "checkout", "model.py")
    write_text(checkout / "patch", files["code/changes.patch"])
    git(checkout, "apply", "patch")
    assert (checkout / "model.py").read_bytes() == "tiefe = 'größer'\n".encode("latin-1")


def test_a_library_that_is_not_there_is_recorded_so(monkeypatch):
    monkeypatch.setattr(provenance, "LIBRARIES", ("numpy", "no-such-library"))
    assert machine()["version.no-such-library"] == "none: not installed"


POINTER = "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  path: {}\n"


@pytest.mark.parametrize(
    ("file", "text", "dvc"),
    [
        ("data/scans.dvc", "", "not compared: data/scans.dvc cannot be read"),
        ("data/scans.dvc", "<<<<<<< HEAD\nouts: []\n=======\n", "not compared: data/scans.dvc"),
        ("data/scans.dvc", "just words", "not compared: data/scans.dvc cannot be read"),
        ("data/scans.dvc", "\udcff\udcfe", "not compared: data/scans.dvc cannot be read"),
        ("data/scans.dvc", "outs: {a: 1}", "not compared: data/scans.dvc cannot be read"),
        ("data/scans.dvc", "outs:\n- path: scans\n  etag: abc\n", "not tracked"),
        ("data/scans.dvc", "wdir: ..\n" + POINTER.format("scans"), "not tracked"),
        ("data/other.dvc", POINTER.format("other"), "not tracked"),
        ("data/far/away.dvc", "<<<<<<<", "not tracked"),
        ("data/dvc.lock", "stages: [", "not compared: data/dvc.lock cannot be read"),
        ("dvc.lock", "schema: '2.0'\nstages:\n  a: 3\n", "not compared: dvc.lock cannot be read"),
        ("data/.dvc/config", "", "not compared: data is a DVC repository of its own"),
        ("data/scans/.dvc/config", "", "not compared: data/scans is a DVC repository of its own"),
        ("data/scans.dvc/readme", "a folder", "not tracked"),
    ],
)
def test_what_dvc_cannot_say_is_recorded_with_the_reason(tmp_path, file, text, dvc):
    scans = tmp_path / "data/scans"
    scans.mkdir(parents=True)
    (scans / "a.txt").write_text("a")
    write_text(tmp_path / file, text)
    if file.endswith("dvc.lock"):
        (tmp_path / file).with_name("dvc.yaml").write_text("stages: {}\n")
    seen = data_version(tmp_path, [Path("data/scans")])
    assert seen.dvc.startswith(dvc)
    assert seen.digest == data_version(tmp_path, [scans]).digest
    assert len(seen.digest) == 32


def test_verified_is_said_of_nothing_that_dvc_has_not_compared(project):
    """Of what a pointer names in another folder, in a stage's own folder, and without DVC."""
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    scans = Path("data/scans")
    pointer = (project / "data/scans.dvc").read_text()
    (project / "data/scans.dvc").write_text(pointer + "wdir: ../elsewhere\n")
    assert data_version(project, [scans]).dvc == "not tracked"
    (project / "data/scans.dvc").write_text(pointer)
    (project / "data/broken.dvc").write_text("<<<<<<<")
    assert data_version(project, [scans]).dvc.startswith(
        "not compared: DVC fails: './data/broken.dvc"
    )
    (project / "data/broken.dvc").unlink()
    lock["stages"]["table"]["outs"][0]["path"] = "data/else"
    (project / "data/else").mkdir()
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert data_version(project, [Path("data/else")]).dvc.startswith("not compared: DVC does not")


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A project whose data/scans DVC tracks by a pointer file, and data/table by a stage."""
    tmp_path = tmp_path_factory.mktemp("tracked")

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


@pytest.fixture
def project(tracked, tmp_path):
    return Path(shutil.copytree(tracked, tmp_path / "project"))


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
