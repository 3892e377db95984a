"""Every input file has a hash of its own, which is computed once."""

import os
import subprocess

import pytest

from reprise.tracking import contents
from reprise.tracking.contents import LIST, changes, hash_inputs, read_list, write_list


@pytest.fixture
def root(tmp_path):
    """A project with a table, and a folder with an odd name and a link to itself in it."""
    root = tmp_path / "project"
    (root / "photos/cats").mkdir(parents=True)
    for name in ("rows.csv", "photos/1.png", "photos/cats/2 \\n\n.png"):
        (root / name).write_text(name)
        os.utime(root / name, (1, 1))
    (root / "photos/again").symlink_to("../photos")
    return root


def test_a_list_names_every_file_once_and_md5sum_checks_it(root, tmp_path):
    sources = ["photos", "rows.csv", "photos", "none.csv"]
    files = hash_inputs(root, sources, tmp_path / "memory")
    assert [*files] == ["photos/1.png", "photos/cats/2 \\n\n.png", "rows.csv"]
    written = write_list(tmp_path / "memory", sources, files)
    assert write_list(tmp_path / "memory", sources, files) == written
    (tmp_path / LIST).parent.mkdir()
    (tmp_path / LIST).hardlink_to(written)
    assert read_list(tmp_path) == (sources, files)
    checked = subprocess.run(
        f"zcat {written} | md5sum -c --strict", shell=True, cwd=root, capture_output=True
    )
    assert (checked.returncode, checked.stdout.count(b": OK")) == (0, 3)
    (tmp_path / LIST).write_bytes(b"damaged")
    assert read_list(tmp_path) is None


def test_a_file_is_read_once_and_a_changed_byte_is_found(root, tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "FRESH_S", 0.0)
    memory = tmp_path / "memory"
    before = hash_inputs(root, ["photos"], memory)
    assert hash_inputs(root, ["photos"], memory, most=0) == before
    (root / "photos/1.png").rename(root / "photos/3.png")
    (root / "photos/3.png").write_text("photos/1.pnG")
    os.utime(root / "photos/3.png", (1, 1))
    assert hash_inputs(root, ["photos"], memory, most=0) is None
    now = hash_inputs(root, ["photos"], memory)
    assert changes(before, now) == ["1 gone: photos/1.png", "1 new: photos/3.png"]
    (root / "photos/3.png").rename(root / "photos/1.png")
    assert changes(before, hash_inputs(root, ["photos"], memory)) == ["1 changed: photos/1.png"]


def test_a_database_that_is_damaged_or_no_folder_for_it_costs_only_time(root, tmp_path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/hashes.sqlite").write_text("damaged" * 200)
    (tmp_path / "file").touch()
    before = hash_inputs(root, ["photos"], tmp_path / "memory")
    assert hash_inputs(root, ["photos"], tmp_path / "file/memory") == before
    assert len(before) == 2


def test_what_changes_beneath_its_time_is_found_by_reading_it_all(root, tmp_path, monkeypatch):
    memory = tmp_path / "memory"
    monkeypatch.setattr(contents, "_stamp", lambda seen: "the same")
    monkeypatch.setattr(contents, "FRESH_S", -10.0)
    before = hash_inputs(root, ["rows.csv"], memory)
    (root / "rows.csv").write_text("rows.csW")
    assert hash_inputs(root, ["rows.csv"], memory) == before
    assert hash_inputs(root, ["rows.csv"], memory, full=True) != before
