import subprocess

import pytest

from reprise.tracking.provenance import code, machine


@pytest.fixture
def checkout(tmp_path):
    def git(*args):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", tmp_path, *identity, *args], check=True, capture_output=True)

    git("init", "-b", "main")
    (tmp_path / "model.py").write_text("depth = 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    return tmp_path


def test_a_clean_checkout_is_its_commit(checkout):
    tags, files = code(checkout)
    assert len(tags["git.commit"]) == 40
    assert tags["git.branch"] == "main"
    assert tags["git.dirty"] == "false"
    assert files == {}


def test_a_dirty_checkout_brings_its_patch_and_its_new_files(checkout):
    (checkout / "model.py").write_text("depth = 2\n")
    (checkout / "new.py").write_text("x = 1\n")
    tags, files = code(checkout)
    assert tags["git.dirty"] == "true"
    assert "-depth = 1\n+depth = 2" in files["code/changes.patch"]
    assert files["code/untracked.txt"] == "new.py\n"


def test_the_patch_brings_the_change_back(checkout):
    (checkout / "model.py").write_text("depth = 2\n")
    (checkout / "weights.bin").write_bytes(bytes(range(256)))
    subprocess.run(["git", "-C", checkout, "add", "-N", "."], check=True)
    _, files = code(checkout)
    (checkout / "weights.bin").unlink()
    (checkout / "model.py").write_text("depth = 1\n")
    apply = ["git", "-C", checkout, "apply", "-"]
    subprocess.run(apply, input=files["code/changes.patch"].encode(), check=True)
    assert (checkout / "model.py").read_text() == "depth = 2\n"
    assert (checkout / "weights.bin").read_bytes() == bytes(range(256))


def test_without_git_it_is_said(tmp_path):
    tags, files = code(tmp_path)
    assert tags["git.commit"].startswith("none")
    assert files == {}


def test_the_machine_is_known_by_its_versions():
    facts = machine()
    assert facts["version.keras"].startswith("3.")
    assert facts["version.tensorflow"].startswith("2.")
