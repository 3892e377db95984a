import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny import git, write_arrays, write_blobs

from reprise.errors import UserError
from reprise.scaffold import add
from reprise.scaffold.add import add_data
from reprise.scaffold.look import kind_of

DVC = [sys.executable, "-m", "dvc"]
REPRISE = [sys.executable, "-m", "reprise"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A new project in git and DVC."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "project"
    (root / "conf").mkdir(parents=True)
    git(root, "init", "-q")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    return root


def call(root: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*REPRISE, *map(str, words)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_data_are_put_in_place_tracked_and_an_experiment_written(root, tmp_path):
    source = write_blobs(tmp_path / "source")
    whole = tree(source)
    done = call(root, "add-data", f"path={source}", "name=blobs")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("next: reprise train experiment=blobs\n")
    assert tree(source) == tree(root / "data/blobs") == whole
    assert (root / "data/.gitignore").read_text() == "/blobs\n"


@pytest.mark.parametrize(
    ("change", "word", "said"),
    [
        ("(source / 'images/000.png').write_bytes(b'')", "", "an empty file"),
        ("(root / 'data/blobs').mkdir(parents=True)", "", "data/blobs is there already"),
        ("(root / 'data').mkdir(); (root / 'data/blobs.dvc').touch()", "", "not pulled yet"),
        ("shutil.rmtree(root / '.dvc')", "", "dvc init"),
        ("", "how=by-hand", "copy, link, move"),
        ("", "kind=pictures", "masks, folder, table"),
        ("", "name=../blobs", "letters, digits"),
        ("", "source=nowhere", "there is nothing"),
        ("", "source=s3://bucket/blobs", "dvc import-url s3://bucket/blobs data/blobs"),
        ("", "source=..", "holds the project"),
    ],
)
def test_what_cannot_be_added_leaves_nothing(root, tmp_path, change, word, said, monkeypatch):
    source = write_blobs(tmp_path / "source", count=10)
    exec(change)
    monkeypatch.chdir(root)
    monkeypatch.setattr(add, "ROOT", root)
    before = tree(root)
    words = {"source": source, "name": "blobs"} | dict([word.split("=")] if word else [])
    with pytest.raises(UserError, match=said):
        add_data(**{**words, "source": Path(words["source"])})
    assert {name for name in tree(root) if ".dvc/tmp" not in name} == {*before}


@pytest.mark.slow
def test_a_call_that_is_killed_or_stopped_leaves_nothing_for_the_next(root, tmp_path):
    """At any moment: after the copy, before DVC's record, while DVC is at work."""
    source = write_blobs(tmp_path / "source", count=400)
    command = [*REPRISE, "add-data", f"path={source}", "name=blobs"]
    for number, moment in ((signal.SIGINT, "files,"), (signal.SIGTERM, "DVC records")):
        process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
        while moment not in process.stderr.readline():
            pass
        process.send_signal(number)
        assert process.wait() in (130, 75)
        assert not [name for name in tree(root) if "blobs" in name]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, start_new_session=True)
    while not (root / "data/blobs").exists():
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = call(root, *command[len(REPRISE) :])
    assert done.returncode == 0, done.stderr
    assert tree(root / "data/blobs") == tree(source)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["link", "move"])
def test_files_are_shared_or_moved(root, tmp_path, how):
    source = write_arrays(tmp_path / "digits.npz")
    content, number = source.read_bytes(), source.stat().st_ino
    done = call(root, "add-data", f"path={source}", "name=mine", f"how={how}")
    assert done.returncode == 0, done.stderr
    place = root / "data/mine.npz"
    assert place.read_bytes() == content
    if how == "move":
        assert not source.exists()
    else:
        assert source.stat().st_nlink == 3
        assert place.stat().st_ino == number
    assert call(root, "data").returncode == 0


def test_the_kind_of_data_is_seen(tmp_path):
    blobs = write_blobs(tmp_path / "masks", count=2)
    folder = tmp_path / "folder"
    for name in "ab":
        shutil.copytree(blobs / "images", folder / name)
    table, rows = tmp_path / "table", tmp_path / "rows"
    shutil.copytree(blobs / "images", table / "images")
    rows.mkdir()
    for home in (table, rows):
        (home / "list.csv").write_text("path,label\nimages/000.png,a\n")
    sounds = tmp_path / "recordings"
    sounds.mkdir()
    soundfile.write(sounds / "a.wav", np.zeros(800), 8000)
    (tmp_path / "none.txt").touch()
    found = [kind_of(one) for one in (blobs, folder, table, rows, sounds, tmp_path / "none.txt")]
    found += [kind_of(write_arrays(tmp_path / "a.npz")), kind_of(rows / "list.csv")]
    assert found == ["masks", "folder", "table", "csv", "recordings", "", "arrays", "csv"]
