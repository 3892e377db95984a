"""Splits that come with the data."""

import pytest

from reprise.datasets.splitting.given import split_before_test, split_by_words
from reprise.errors import UserError


def place(at):
    return f"line {at + 2}"


def found(splits):
    return {name: own.tolist() for name, own in splits.items()}


def test_every_sample_says_its_split():
    words = ["test", "train", "val", "validation", "train", "valid"]
    assert found(split_by_words(words, place)) == {
        "train": [1, 4], "valid": [2, 3, 5], "test": [0],
    }  # fmt: skip
    assert set(split_by_words(["train", "valid"], place)) == {"train", "valid"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "tset"], "line 3: 'tset' is no split"),
        (["train", ""], "line 3: an empty cell"),
        (["train", "test"], "the split 'valid' is empty"),
        (["valid", "test"], "the split 'train' is empty"),
    ],
)
def test_words_that_do_not_split(words, said):
    with pytest.raises(UserError, match=said):
        split_by_words(words, place)


def test_the_last_samples_are_the_test_set():
    split = {"train": 0.75, "valid": 0.25, "test": None}
    splits = split_before_test({}, range(12), split, 0, num_test=4)
    assert [len(own) for own in splits.values()] == [6, 2, 4]
    assert splits["test"].tolist() == [8, 9, 10, 11]
    assert sorted([*splits["train"], *splits["valid"]]) == list(range(8))
    assert set(split_before_test({}, range(12), split, 0, num_test=0)) == {"train", "valid"}


def test_a_file_cannot_put_a_sample_of_the_test_set_into_train(tmp_path):
    for name, line in (("train", "0\n"), ("valid", "3\n")):
        (tmp_path / name).write_text(line)
    split = {"train": str(tmp_path / "train"), "valid": str(tmp_path / "valid")}
    keys = {str(at): at for at in range(4)}
    assert found(split_before_test(keys, range(4), split, 0, 0))["valid"] == [3]
    with pytest.raises(UserError, match=r"valid, line 1: there is no sample '3'"):
        split_before_test(keys, range(4), split, 0, num_test=1)


def test_two_test_sets_are_refused():
    split = {"train": 0.5, "valid": 0.25, "test": 0.25}
    with pytest.raises(UserError, match=r"(?s)come with a test set.*dataset.split.test=null"):
        split_before_test({}, range(12), split, 0, num_test=4)
