import os
import subprocess
import sys
import threading

import pytest

from reprise.files import is_locked, lock, locked, replacing, write_text


def write(path, kind, text):
    if kind == "file":
        path.write_text(text)
    else:
        path.mkdir()
        (path / "inner").write_text(text)


def read(path):
    return (path / "inner" if path.is_dir() else path).read_text()


def fail(path, kind):
    with replacing(path) as partial:
        write(partial, kind, "half")
        raise OSError("disk full")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_replaced_is_the_old_or_the_new(kind, tmp_path):
    path = tmp_path / "thing.txt"
    write(tmp_path / ".partial-thing.txt", kind, "left by a kill")
    for text in ("first", "second"):
        before = read(path) if path.exists() else None
        with pytest.raises(OSError, match="disk full"):
            fail(path, kind)
        assert (read(path) if path.exists() else None) == before
        with replacing(path) as partial:
            assert not partial.exists()
            write(partial, kind, text)
            assert partial.suffix == path.suffix
        assert read(path) == text
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_whole_and_its_folder_made(tmp_path):
    write_text(tmp_path / "a/b/c.json", "{}")
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["c.json"]
    assert (tmp_path / "a/b/c.json").read_text() == "{}"


def test_a_lock_is_held_by_one_and_seen_by_all(tmp_path):
    path = tmp_path / "lock"
    assert not is_locked(path)
    with path.open("w") as one, path.open("w") as other:
        assert lock(one)
        assert not lock(other, wait=False)
        assert is_locked(path)
    assert not is_locked(path)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_locked_waits_for_its_turn(kind, tmp_path):
    path, turns = tmp_path if kind == "folder" else tmp_path / "lock", []

    def work():
        with locked(path):
            turns.append("second")

    with locked(path):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(0.1)
        turns.append("first")
    thread.join()
    assert turns == ["first", "second"]


def test_a_lock_outlives_its_process_in_one_that_has_inherited_it(tmp_path):
    path = tmp_path / "log"
    with path.open("w") as file:
        lock(file)
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[file.fileno()]
        )
    assert is_locked(path)
    child.communicate(os.linesep.encode())
    assert not is_locked(path)
