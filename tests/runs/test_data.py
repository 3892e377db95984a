import json
import os
import shutil
import signal
import subprocess
import sys
import time
from hashlib import md5
from pathlib import Path

import pytest
from tiny import git

from reprise.cli import data
from reprise.errors import UserError
from reprise.runs import sample_data

STAGES = """\
stages:
  tiny:
    cmd: python make.py data/tiny
    deps: [make.py]
    outs: [data/tiny]
"""
MAKE = """\
import pathlib, sys, time
with open("calls", "a") as calls:
    calls.write("x")
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True)
for name in "abc":
    (out / name).write_text(name + SUFFIX)
    time.sleep(PAUSE)
"""
FILES = [{"md5": md5(name.encode()).hexdigest(), "relpath": name} for name in "abc"]
PLAIN = md5(json.dumps(FILES).encode()).hexdigest() + ".dir"  # how DVC hashes a folder
DVC = [sys.executable, "-m", "dvc"]


def write_stage(root: Path, suffix: str = '""', pause: str = "0") -> None:
    (root / "make.py").write_text(MAKE.replace("SUFFIX", suffix).replace("PAUSE", pause))


def calls(root: Path) -> int:
    path = root / "calls"
    return len(path.read_text()) if path.exists() else 0


def files(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((root / "data/tiny").iterdir())}


FIRST = {"a": "a", "b": "b", "c": "c"}


def delete(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git and DVC repository whose only stage has run once."""
    root = tmp_path_factory.mktemp("made")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (root / ".dvc/.gitignore").write_text("/tmp\n/cache\n")
    (root / "dvc.yaml").write_text(STAGES)
    write_stage(root)
    git(root, "init", "-q")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_data, "ROOT", root)
        patch.setenv("DVC_SITE_CACHE_DIR", str(root.parent / "site"))
        sample_data.make_available(["tiny"])
    git(root, "add", "-A")
    git(root, "commit", "-qm", "made")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which `reprise.runs.sample_data` takes for its own."""
    root = tmp_path / "project"
    shutil.copytree(made, root)
    monkeypatch.setattr(sample_data, "ROOT", root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return root


def start(root: Path) -> subprocess.Popen[str]:
    code = "import sys; from pathlib import Path\n"
    code += "from reprise.cli import data; from reprise.runs import sample_data\n"
    code += f"sample_data.ROOT = Path({str(root)!r}); data.main(['tiny'])"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_a_clone_without_cache_and_remote_makes_the_recorded_files_once(root, capsys):
    delete(root / ".dvc/cache", root / "data/tiny")
    lock = (root / "dvc.lock").read_text()
    data.main([])
    data.main([])
    assert calls(root) == 2  # one of them before the clone
    assert files(root) == FIRST
    assert (root / "dvc.lock").read_text() == lock
    said = capsys.readouterr()
    assert said.out == f"data/tiny is in place, as dvc.lock has it: {PLAIN}\n" * 2
    assert said.err == "data: making tiny\n"


def test_a_deleted_folder_comes_back_from_the_cache(root):
    delete(root / "data/tiny")
    assert sample_data.missing_stages([Path("data/tiny/a"), Path("make.py")]) == ["tiny"]
    sample_data.make_available(["tiny"])
    assert files(root) == FIRST
    assert calls(root) == 1
    assert sample_data.missing_stages([Path("data/tiny/a")]) == []


@pytest.mark.slow
def test_a_remote_saves_making_the_files(root, tmp_path):
    subprocess.run([*DVC, "remote", "add", "-q", "-d", "there", tmp_path / "there"], cwd=root)
    subprocess.run([*DVC, "push", "-q"], cwd=root, check=True)
    delete(root / ".dvc/cache", root / "data/tiny")
    sample_data.make_available(["tiny"])
    assert files(root) == FIRST
    assert calls(root) == 1


@pytest.mark.parametrize("cached", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_files_changed_by_hand_are_refused_then_accepted(root, cached, capsys):
    lock = (root / "dvc.lock").read_text()
    (root / "data/tiny/a").write_text("mine")
    (root / "data/tiny/b").unlink()
    if not cached:
        shutil.rmtree(root / ".dvc/cache")
    with pytest.raises(
        UserError, match=rf"(?s)data/tiny has other.*{PLAIN}.*tiny/\w .* and 1 more"
    ):
        sample_data.make_available(["tiny"])
    assert (root / "dvc.lock").read_text() == lock
    sample_data.make_available(["tiny"], accept=True)
    assert files(root) == {"a": "mine", "c": "c"}
    assert calls(root) == 1
    assert PLAIN not in (root / "dvc.lock").read_text()
    assert f"data/tiny had hash {PLAIN}, has " in capsys.readouterr().err
    sample_data.make_available(["tiny"])


@pytest.mark.slow
def test_a_folder_that_was_there_before_its_stage_is_refused_then_recorded(root):
    (root / "dvc.lock").unlink()
    (root / "data/tiny/a").write_text("mine")
    with pytest.raises(UserError, match=r"(?s)nothing is recorded yet.*tiny accept=true"):
        sample_data.make_available(["tiny"])
    sample_data.make_available(["tiny"], accept=True)
    assert files(root) == {"a": "mine", "b": "b", "c": "c"}
    assert calls(root) == 1


def test_another_hash_from_another_script_is_refused_then_accepted(root):
    lock = (root / "dvc.lock").read_text()
    write_stage(root, suffix='"x"')
    with pytest.raises(UserError, match=rf"(?s)'tiny' made other.*{PLAIN}\n.*hash \w+\.dir;"):
        sample_data.make_available(["tiny"])
    assert (root / "dvc.lock").read_text() == lock
    assert files(root) == {"a": "ax", "b": "bx", "c": "cx"}
    with pytest.raises(UserError, match="data/tiny has other files"):
        sample_data.make_available(["tiny"])
    data.main(["accept=true"])
    assert files(root) == {"a": "ax", "b": "bx", "c": "cx"}
    assert PLAIN not in (root / "dvc.lock").read_text()


@pytest.mark.slow
def test_another_script_that_makes_the_same_needs_no_word(root):
    write_stage(root, suffix='"" + ""')
    sample_data.make_available(["tiny"])
    assert calls(root) == 2
    assert PLAIN in (root / "dvc.lock").read_text()


@pytest.mark.slow
def test_a_stage_that_is_not_reproducible_is_refused(root):
    write_stage(root, suffix="calls.name + str(__import__('time').time())")
    sample_data.make_available(["tiny"], accept=True)
    git(root, "commit", "-qam", "not reproducible")
    lock = (root / "dvc.lock").read_text()
    delete(root / ".dvc/cache", root / "data/tiny")
    with pytest.raises(UserError, match="the stage is not reproducible here"):
        sample_data.make_available(["tiny"])
    assert (root / "dvc.lock").read_text() == lock


@pytest.mark.slow
def test_what_a_stage_that_fails_has_left_is_missing_still(root):
    lock = (root / "dvc.lock").read_text()
    write_stage(root, pause='1 / (name != "b")')
    with pytest.raises(UserError, match=r"(?s)dvc repro tiny failed.*ZeroDivisionError"):
        sample_data.make_available(["tiny"])
    assert files(root) == {"a": "a", "b": "b"}
    assert sample_data.missing_stages([Path("data/tiny")]) == ["tiny"]
    assert (root / "dvc.lock").read_text() == lock
    write_stage(root)
    sample_data.make_available(["tiny"])
    assert files(root) == FIRST


@pytest.mark.slow
def test_the_next_call_repairs_what_a_kill_left(root):
    write_stage(root, pause="20")
    process = start(root)
    while not (root / "data/tiny/a").exists() or calls(root) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert files(root) == {"a": "a"}
    assert sample_data.missing_stages([Path("data/tiny")]) == ["tiny"]
    write_stage(root)
    sample_data.make_available(["tiny"])
    assert files(root) == FIRST
    assert sample_data.missing_stages([Path("data/tiny")]) == []


def test_two_at_once_make_the_files_once(root):
    delete(root / ".dvc/cache", root / "data/tiny")
    both = [start(root), start(root)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [out for out, _ in said] == [f"data/tiny is in place, as dvc.lock has it: {PLAIN}\n"] * 2
    assert calls(root) == 2


def test_a_path_knows_its_stage(root):
    for path in ("data/tiny", "data/tiny/images", "./data/../data/tiny/", root / "data/tiny/a"):
        assert sample_data.stage_for(Path(path)) == "tiny", path
    for path in ("data", "data/tiny2", "data/tiny/..", "/data/tiny"):
        assert sample_data.stage_for(Path(path)) is None, path


@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock"])
def test_a_conflict_in_dvcs_files_is_said_where_they_are_needed(root, name):
    (root / name).write_text("<<<<<<< HEAD\nstages:\n=======\n")
    assert sample_data.missing_stages([Path("data/tiny/a")]) == []  # it is there
    delete(root / "data/tiny")
    with pytest.raises(UserError, match=rf"(?s){name} cannot be read.*git checkout -- {name}"):
        sample_data.make_available(["tiny"])


def test_mistakes_in_the_words_are_said(root):
    with pytest.raises(UserError, match=r"(?s)no stage 'tinny'.*one of dvc.yaml: tiny"):
        data.main(["tinny"])
    with pytest.raises(UserError, match="accept is wrong"):
        data.main(["accept=yes"])
    with pytest.raises(UserError, match="'force' is not an option"):
        data.main(["force=true"])


def test_without_dvc_a_sample_is_made_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sample_data, "ROOT", tmp_path)
    path = Path("data/iris/iris.csv")
    assert sample_data.missing_stages([path, Path("data/mine/x.csv")]) == ["iris"]
    for _ in range(2):
        data.main(["iris"])
    assert len((tmp_path / path).read_text().splitlines()) == 151
    said = capsys.readouterr()
    assert (said.out, said.err) == ("data/iris is in place\n" * 2, "data: making iris\n")
    assert sample_data.missing_stages([path]) == []
    with pytest.raises(UserError, match="one of these: segmentation, denoise, audio, digits, iris"):
        data.main(["irises"])


@pytest.mark.slow
def test_beside_stages_of_its_own_a_project_has_the_samples(root):
    assert sample_data.stage_for(Path("data/iris/iris.csv")) == "iris"
    sample_data.make_available(["tiny", "iris"])
    assert calls(root) == 1
    assert (root / "data/iris/iris.csv").exists()


def test_a_sample_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sample_data, "ROOT", tmp_path)
    monkeypatch.setattr(sample_data, "SAMPLES", ("nothing",))
    with pytest.raises(UserError, match=r"(?s)making the sample data 'nothing' failed.*No module"):
        sample_data.make_available(["nothing"])
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.slow
def test_what_a_pointer_stands_for_is_fetched_and_compared(root, tmp_path, capsys):
    bees = root / "data/bees"
    bees.mkdir()
    for name in "ab":
        (bees / name).write_text(name)
    for words in (["add", "data/bees"], ["remote", "add", "-d", "there", tmp_path / "there"]):
        subprocess.run([*DVC, *words, "-q"], cwd=root, check=True)
    subprocess.run([*DVC, "push", "-q"], cwd=root, check=True)
    delete(root / ".dvc/cache", bees)
    data.main(["bees"])
    (bees / "b").unlink()  # as of a pull that was cut short
    data.main(["data/bees.dvc"])
    assert capsys.readouterr().err.count("fetching what") == 2
    (bees / "b").write_text("mine")
    with pytest.raises(UserError, match=r"(?s)data/bees has other files.*data/bees/b modified"):
        data.main(["bees"])
    assert (bees / "b").read_text() == "mine"
    data.main(["bees", "accept=true"])
    assert "data/bees is in place" in capsys.readouterr().out
    delete(bees, root / ".dvc/cache", tmp_path / "there")
    with pytest.raises(UserError, match=r"(?s)cannot be fetched.*docs/remotes.md"):
        data.main([])
    assert "data/tiny is in place" in capsys.readouterr().out
