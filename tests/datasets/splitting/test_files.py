"""Splits that text files list."""

import pytest

from reprise.datasets.splitting.files import split_by_files
from reprise.errors import UserError

KEYS = {"a": 0, "a.jpg": 0, "b": 1, "b.jpg": 1, "c": 2, "c.jpg": 2}


@pytest.fixture
def split(tmp_path):
    def read(**texts):
        files = {name: tmp_path / f"{name}.txt" for name in texts}
        for name, text in texts.items():
            files[name].write_bytes(text.encode())
        found = split_by_files(KEYS, files)
        return {name: own.tolist() for name, own in found.items()}

    return read


def test_lines_are_stems_or_file_names_with_or_without_a_folder(split):
    assert split(train="c.jpg\nimages/a.jpg\n", valid="b") == {"train": [0, 2], "valid": [1]}


def test_blank_lines_windows_ends_and_a_byte_order_mark_are_passed_over(split):
    assert split(train="\ufeffa\r\n\r\n b \r\n") == {"train": [0, 1]}


def test_a_sample_in_two_splits_is_named_with_both_places(split):
    with pytest.raises(
        UserError, match=r"(?s)'b' is listed twice.*train.txt, line 2.*valid.txt, line 1"
    ):
        split(train="a\nb.jpg", valid="b")


def test_a_sample_twice_in_one_split_is_refused(split):
    with pytest.raises(UserError, match=r"(?s)'a' is listed twice.*line 1 .*line 3"):
        split(train="a.jpg\n\na")


def test_an_unknown_name_is_said_with_file_and_line(split):
    with pytest.raises(
        UserError, match=r"(?s)valid.txt, line 1: there is no sample 'b.png'.*'b.jpg'"
    ):
        split(train="a", valid="b.png")


def test_a_name_is_not_cut_until_it_fits(split):
    with pytest.raises(UserError, match=r"there is no sample 'a\.2'"):
        split(train="a.2")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"(?s)no.txt cannot be read.*correct dataset.split.valid"):
        split_by_files(KEYS, {"valid": tmp_path / "no.txt"})


def test_a_binary_file_is_named(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(UserError, match=r"train.txt cannot be read"):
        split_by_files(KEYS, {"train": tmp_path / "train.txt"})


def test_a_name_may_stand_for_a_group_of_samples(tmp_path):
    (tmp_path / "train.txt").write_text("theo\na.wav\n")
    keys = {"a.wav": 0, "b.wav": 1, "c.wav": 2, "theo": [1, 3], "ann": [0, 2]}
    found = split_by_files(keys, {"train": tmp_path / "train.txt", "valid": ["c.wav"]})
    assert {name: own.tolist() for name, own in found.items()} == {"train": [0, 1, 3], "valid": [2]}
    with pytest.raises(
        UserError, match=r"(?s)'ann' is listed twice.*line 2 and dataset.split.valid"
    ):
        split_by_files(keys, {"train": tmp_path / "train.txt", "valid": ["ann"]})
