"""A snapshot holds the code as it is, gives it back anywhere, and leaves the repository alone."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from tiny import git

from reprise.runs import rebuild
from reprise.runs.difference import diff_bundles
from reprise.tracking import snapshot
from reprise.tracking.snapshot import mask, take_snapshot


def files(folder):
    """Content of every file of a folder but git's, by name."""
    found = (path for path in Path(folder).rglob("*") if ".git" not in path.parts)
    return {
        path.relative_to(folder).as_posix(): str(path.readlink())
        if path.is_symlink()
        else (path.read_bytes(), path.stat().st_mode & 0o111)
        for path in found
        if not path.is_dir()
    }


def rebuilt(tree, tmp_path):
    git(tmp_path, "clone", "-q", tmp_path / f"taken/{tree}.bundle", tmp_path / "back")
    return files(tmp_path / "back")


@pytest.fixture
def repository(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    (top / "model.py").write_text("depth = 1\n")
    (top / "old.py").write_text("gone soon\n")
    (top / ".gitignore").write_text("data/\n*.ckpt\n")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    return top


@pytest.fixture
def dirty(repository):
    """With a change, a deletion, new files of every kind, and one that is ignored."""
    (repository / "model.py").write_text("depth = 2\n")
    (repository / "old.py").unlink()
    (repository / "src/mine").mkdir(parents=True)
    (repository / "src/mine/net.py").write_text("x = 1\n")
    (repository / "run me.sh").write_text("#!/bin/sh\n")
    (repository / "run me.sh").chmod(0o755)
    (repository / "größe.txt").write_text("é\n")
    (repository / b"\xff.txt".decode(errors="surrogateescape")).write_text("no UTF-8\n")
    (repository / "link").symlink_to("model.py")
    (repository / "staged.py").write_text("y = 1\n")
    git(repository, "add", "staged.py")
    (repository / "weights.ckpt").write_text("ignored")
    return repository


def state(repository):
    """Everything that git knows of a repository: index, branches, stash, objects."""
    return {
        path.relative_to(repository): hashlib.md5(path.read_bytes()).hexdigest()
        for path in (repository / ".git").rglob("*")
        if path.is_file()
    }


def test_a_dirty_tree_comes_back_whole_and_the_repository_is_not_touched(dirty, tmp_path):
    before = state(dirty)
    found = take_snapshot(dirty, tmp_path / "taken")
    assert state(dirty) == before
    assert (found.left_out, found.redacted, found.problem) == ((), (), "")
    expected = files(dirty)
    del expected["weights.ckpt"]
    assert rebuilt(found.tree, tmp_path) == expected


def test_the_same_code_is_the_same_file_however_it_was_committed(dirty, tmp_path):
    first = take_snapshot(dirty, tmp_path / "taken")
    git(dirty, "add", "-A")
    git(dirty, "commit", "-q", "--amend", "-m", "other history")
    git(dirty, "gc", "-q", "--prune=now")
    assert take_snapshot(dirty, tmp_path / "taken") == first
    assert len(list((tmp_path / "taken").iterdir())) == 1


def test_passwords_and_files_of_secrets_are_not_in_it(repository, tmp_path):
    (repository / "conf.yaml").write_text("url: mysql://me:hunter2@host/db\nother: ${url}\n")
    (repository / "token.py").write_text(f"KEY = 'ghp_{'a' * 36}'\n")
    (repository / ".env").write_text("PASSWORD=hunter2\n")
    (repository / "secrets.py").write_text("code that only has the name\n")
    found = take_snapshot(repository, tmp_path / "taken")
    assert found.left_out == (".env (by its name, a secret)",)
    assert set(found.redacted) == {"conf.yaml", "token.py"}
    back = rebuilt(found.tree, tmp_path)
    assert back["conf.yaml"][0] == b"url: mysql://me:***@host/db\nother: ${url}\n"
    assert back["token.py"][0] == b"KEY = '***'\n"
    assert {"secrets.py", "model.py"} <= set(back)
    assert ".env" not in back


@pytest.mark.parametrize(
    ("name", "content", "masked"),
    [
        ("a.py", "'mysql://me:%s@host' % word", "'mysql://me:%s@host' % word"),
        ("a.py", "f'mysql://{me}:{word}@host'", "f'mysql://{me}:{word}@host'"),
        ("a.py", "key = 'sk-" + "a" * 40 + "'", "key = '***'"),
        ("a.py", "connect(password='hidden')", "connect(password='hidden')"),
        ("a.yaml", "db: {user: me, password: hidden}", "db: {user: me, password: ***}"),
        ("a.yaml", "password_variable: DB", "password_variable: DB"),
        ("a.yaml", "password: ${oc.env:DB}", "password: ${oc.env:DB}"),
        ("a.yaml", "password: null\nb: 1", "password: null\nb: 1"),
        ("a.json", '{"api_key": "hidden", "b": 1}', '{"api_key": "***", "b": 1}'),
    ],
)
def test_a_password_is_masked_and_what_stands_for_one_is_not(name, content, masked):
    assert mask(name, content.encode()) == masked.encode()


def test_a_masked_file_is_taken_from_here_if_nothing_else_differs(repository, tmp_path, capsys):
    for name in ("same.py", "other.py"):
        (repository / name).write_text("a = 'mysql://me:hidden@host/db'\n")
    found = take_snapshot(repository, tmp_path / "taken")
    rebuilt(found.tree, tmp_path)
    (repository / "other.py").write_text("b = 'mysql://me:hidden@host/db'\n")
    back = tmp_path / "back"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuild, "ROOT", repository)
        rebuild._unmask(found.redacted, back, back)
    assert "hidden" in (back / "same.py").read_text()
    assert "***" in (back / "other.py").read_text()
    assert "1 file(s) of the code: other.py" in capsys.readouterr().out


def test_files_of_git_lfs_are_taken_from_here_by_their_hash(
    repository, tmp_path, monkeypatch, capsys
):
    content = b"pixels"
    sha = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize 6\n"
    (repository / "a.png").write_text(pointer)
    git(repository, "add", "a.png")
    monkeypatch.setattr(rebuild, "ROOT", repository)
    back, objects = tmp_path / "back", repository / ".git/lfs/objects" / sha[:2] / sha[2:4]
    rebuilt(take_snapshot(repository, tmp_path / "taken").tree, tmp_path)
    rebuild._fill(back, back)
    assert "1 file(s) of git LFS are not here: a.png" in capsys.readouterr().out
    objects.mkdir(parents=True)
    (objects / sha).write_bytes(content)
    rebuild._fill(back, back)
    assert (back / "a.png").read_bytes() == content


def test_what_is_too_large_is_left_out_and_said(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "LARGEST_FILE", 100)
    (repository / "rows.csv").write_text("1\n" * 100)
    found = take_snapshot(repository, tmp_path / "taken")
    assert found.left_out == ("rows.csv (0.0 MB)",)
    assert "rows.csv" in found.problem
    assert "rows.csv" not in rebuilt(found.tree, tmp_path)
    monkeypatch.setattr(snapshot, "LARGEST", 10)
    found = take_snapshot(repository, tmp_path / "more")
    assert (found.tree, (tmp_path / "more").exists()) == ("", False)
    assert "more than" in found.problem


def test_data_and_records_that_git_does_not_ignore_are_no_code(repository, tmp_path):
    for name in ("images/a.png", "mlflow.db", "mlartifacts/1/model", "images.py"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("x")
    found = take_snapshot(repository, tmp_path / "taken", [repository / "images"])
    assert set(rebuilt(found.tree, tmp_path)) - set(files(repository)) == set()
    assert "images.py" in files(tmp_path / "back")
    assert not {"images/a.png", "mlflow.db", "mlartifacts/1/model"} & set(files(tmp_path / "back"))


def test_a_project_below_the_repository_brings_what_lies_beside_it(dirty, tmp_path):
    found = take_snapshot(dirty / "src/mine", tmp_path / "taken")
    assert found.project == "src/mine"
    assert found.tree == take_snapshot(dirty, tmp_path / "taken").tree
    assert "model.py" in rebuilt(found.tree, tmp_path)


def test_worktrees_shallow_clones_and_repositories_without_a_commit(dirty, tmp_path):
    git(dirty, "add", "-A")
    git(dirty, "commit", "-q", "-m", "second")
    expected = take_snapshot(dirty, tmp_path / "taken")
    git(dirty, "worktree", "add", "-q", tmp_path / "other")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{dirty}", tmp_path / "shallow")
    for name in ("other", "shallow"):
        assert take_snapshot(tmp_path / name, tmp_path / name) == expected
    git(tmp_path, "init", "-q", tmp_path / "unborn")
    (tmp_path / "unborn/a.py").write_text("1\n")
    found = take_snapshot(tmp_path / "unborn", tmp_path / "taken")
    assert set(rebuilt(found.tree, tmp_path)) == {"a.py"}


def test_an_unfinished_merge_is_taken_as_the_files_stand(repository, tmp_path):
    for branch, depth in (("one", 2), ("two", 3)):
        git(repository, "checkout", "-q", "-b", branch, "main")
        (repository / "model.py").write_text(f"depth = {depth}\n")
        git(repository, "commit", "-qam", branch)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "one")
    found = take_snapshot(repository, tmp_path / "taken")
    assert b"<<<<<<<" in rebuilt(found.tree, tmp_path)["model.py"][0]


def test_what_git_takes_for_unchanged_is_taken_as_it_is(repository, tmp_path):
    """Flags of the index; the same size in the same second; a file where a folder was."""
    for name in ("one.py", "two.py", "parts/a.py"):
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text("x = 1\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    git(repository, "update-index", "--assume-unchanged", "one.py")
    git(repository, "update-index", "--skip-worktree", "two.py")
    for name in ("one.py", "two.py", "model.py"):
        (repository / name).write_text((repository / name).read_text().replace("1", "2"))
    (repository / "parts/a.py").unlink()
    (repository / "parts").rmdir()
    (repository / "parts").write_text("y = 1\n")
    found = take_snapshot(repository, tmp_path / "taken")
    assert rebuilt(found.tree, tmp_path) == files(repository)


def test_a_repository_in_the_repository_is_a_problem(repository, tmp_path):
    git(repository, "init", "-q", repository / "other")
    (repository / "other/a.py").touch()
    assert "other/" in take_snapshot(repository, tmp_path / "taken").problem


def test_a_submodule_is_a_problem(repository, tmp_path):
    git(repository, "submodule", "add", "-q", repository, "part")
    assert "submodule" in take_snapshot(repository, tmp_path / "taken").problem


def test_without_git_or_a_repository_the_reason_is_said(tmp_path, monkeypatch):
    assert "not a git repository" in take_snapshot(tmp_path, tmp_path / "taken").problem
    monkeypatch.setenv("PATH", str(tmp_path))
    assert take_snapshot(tmp_path, tmp_path / "taken").problem == "no git"
    assert list(tmp_path.iterdir()) == []


def test_of_a_large_repository_only_what_no_remote_has_is_taken(tmp_path, monkeypatch):
    remote, large, again = tmp_path / "remote", tmp_path / "large", tmp_path / "again"
    remote.mkdir()
    git(remote, "init", "-q", "-b", "main")
    (remote / "old.py").write_text("x = 1\n" * 2000)
    git(remote, "add", ".")
    git(remote, "commit", "-qm", "first")
    monkeypatch.setattr(snapshot, "LARGEST", 8000)
    assert "no commit that a remote has" in take_snapshot(remote, tmp_path / "out").problem
    git(tmp_path, "clone", "-q", str(remote), str(large))
    (large / "new.py").write_text("y = 2\n")
    found = take_snapshot(large, tmp_path / "out")
    bundle = tmp_path / "out" / f"{found.tree}.bundle"
    assert (found.problem, snapshot.bases(bundle)) == (
        "",
        [git(remote, "rev-parse", "HEAD").strip()],
    )
    monkeypatch.setattr(rebuild, "ROOT", large)
    done = rebuild._unbundle(bundle, again)
    assert done.returncode == 0, done.stderr
    assert files(again) == files(large)
    (large / "new.py").write_text("y = 3\n")
    other = tmp_path / "out" / f"{take_snapshot(large, tmp_path / 'out').tree}.bundle"
    assert diff_bundles(bundle, other) == ["new.py"]
