"""Splits by fraction, by names and by words."""

import numpy as np
import pytest

from reprise.datasets.splits import (
    make_splits,
    split_by_fraction,
    split_by_names,
    split_by_words,
)
from reprise.errors import UserError

FRACTIONS = {"train": 0.7, "valid": 0.15, "test": 0.15}


def splits(count=20, seed=0, **split):
    names = [f"s{at}" for at in range(count)]
    keys = {name: at for at, name in enumerate(names)}
    return make_splits(keys, names, split or FRACTIONS, seed)


def test_fractions_give_rounded_sizes_and_every_sample_once():
    found = splits(20)
    assert list(found) == ["train", "valid", "test"]
    assert {name: len(own) for name, own in found.items()} == {"train": 14, "valid": 3, "test": 3}
    assert sorted(np.concatenate(list(found.values()))) == list(range(20))
    assert all(own.dtype == np.int64 and list(own) == sorted(own) for own in found.values())


def test_the_seed_moves_samples_and_nothing_else_does():
    assert splits(200, seed=1)["test"].tolist() == splits(200, seed=1)["test"].tolist()
    assert splits(200, seed=1)["test"].tolist() != splits(200, seed=2)["test"].tolist()
    turned = dict(reversed(FRACTIONS.items()))
    assert splits(200, **turned)["valid"].tolist() == splits(200)["valid"].tolist()


def test_less_training_data_leaves_valid_and_test_where_they_were():
    less = splits(200, train=0.1, valid=0.15, test=0.15)
    assert len(less["train"]) == 20
    for name in ("valid", "test"):
        assert less[name].tolist() == splits(200)[name].tolist()
    assert set(less["train"]) < set(splits(200)["train"])


def test_a_group_is_never_on_both_sides():
    groups = [at // 7 for at in range(140)]
    found = split_by_fraction(groups, {"train": 0.5, "valid": 0.3, "test": 0.2}, 3)
    sides = [{groups[at] for at in own} for own in found.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20
    assert [len(own) for own in found.values()] == [70, 42, 28]


def test_unequal_groups_come_close_to_the_fractions():
    groups = [0] * 50 + list(range(1, 51))
    for seed in range(20):
        found = split_by_fraction(groups, {"train": 0.8, "valid": 0.2}, seed)
        assert 50 <= len(found["train"]) <= 100
        assert len(found["train"]) + len(found["valid"]) == 100


def test_lists_are_taken_out_first_and_fractions_are_of_the_rest():
    found = splits(20, train=0.75, valid=0.25, test=["s3", "s5", "s7", "s9"])
    assert found["test"].tolist() == [3, 5, 7, 9]
    assert {name: len(own) for name, own in found.items()} == {"train": 12, "valid": 4, "test": 4}
    assert sorted(np.concatenate(list(found.values()))) == list(range(20))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"train": 0.9, "valid": 0.2}, "train=0.9.*together 1.1"),
        ({"train": -0.1, "valid": 0.2}, "train=-0.1"),
        ({"train": 1.0, "valid": 0.0, "test": None}, "the split 'valid' is empty"),
        ({"train": 0.98, "valid": 0.01, "test": 0.01}, "the split 'test' is empty"),
        ({"train": "train.txt", "valid": 0.2, "test": 0.1}, "mixes fractions and files"),
        ({"train": 0.8, "valid": None}, "dataset.split is incomplete"),
        ({"train": 0.8, "valid": 0.2, "test": ["s99"]}, "dataset.split.test: .*no sample 's99'"),
        ({"train": 0.8, "valid": ["s1"], "test": ["s1"]}, "'s1' is listed twice.*split.test and"),
    ],
)
def test_a_wrong_split_is_refused(split, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        splits(20, **split)


KEYS = {"a": 0, "a.jpg": 0, "b": 1, "b.jpg": 1, "c": 2, "c.jpg": 2}


@pytest.fixture
def split(tmp_path):
    def read(**texts):
        files = {name: tmp_path / f"{name}.txt" for name in texts}
        for name, text in texts.items():
            files[name].write_bytes(text.encode())
        found = split_by_names(KEYS, files)
        return {name: own.tolist() for name, own in found.items()}

    return read


def test_lines_are_stems_or_file_names_with_or_without_a_folder(split):
    assert split(train="\ufeffc.jpg\r\n\r\n images/a.jpg \r\n", valid="b") == {
        "train": [0, 2],
        "valid": [1],
    }


@pytest.mark.parametrize(
    "line",
    ["cat/1.png", "cat\\1.png", "./cat/1.png", "/data/pets/cat/1.png", "D:\\pets\\cat\\1.png",
     "Cat/1.PNG", "caf\u00e9.png"],
)  # fmt: skip
def test_a_list_may_write_a_file_in_its_own_way(tmp_path, line):
    keys = {"cat/1.png": 0, "1.png": 0, "cafe\u0301.png": 0, "dog/2.png": 1}
    for code in ("utf-8", "utf-16"):
        (tmp_path / "a.txt").write_text(f"{line}\r\n", code)
        assert split_by_names(keys, {"train": tmp_path / "a.txt"})["train"].tolist() == [0]


def test_a_file_of_another_folder_is_another_file():
    keys = {"cat/1.png": 0, "1.png": 0}
    with pytest.raises(UserError, match=r"no sample 'dog/1.png'"):
        split_by_names(keys, {"train": ["dog/1.png"]})


def test_a_line_that_may_be_two_samples_is_refused_letter_by_letter():
    keys = {"A.png": 0, "a.png": 1}
    assert split_by_names(keys, {"train": ["a.png"]})["train"].tolist() == [1]
    with pytest.raises(UserError, match=r"(?s)'a.PNG' may be several.*'A.png' and 'a.png'"):
        split_by_names(keys, {"train": ["a.PNG"]})


def test_words_of_splits_whatever_their_case():
    found = split_by_words(["Training", "VAL", " dev", "Testing"], str)
    assert {name: own.tolist() for name, own in found.items()} == {
        "train": [0], "valid": [1, 2], "test": [3],
    }  # fmt: skip


def test_a_sample_in_two_splits_is_named_with_both_places(split):
    with pytest.raises(
        UserError, match=r"(?s)'b' is listed twice.*train.txt, line 2.*valid.txt, line 1"
    ):
        split(train="a\nb.jpg", valid="b")


def test_an_unknown_name_is_said_with_file_and_line(split):
    with pytest.raises(
        UserError, match=r"(?s)valid.txt, line 1: there is no sample 'b.png'.*'b.jpg'"
    ):
        split(train="a", valid="b.png")


def test_a_name_is_not_cut_until_it_fits(split):
    with pytest.raises(UserError, match=r"there is no sample 'a\.2'"):
        split(train="a.2")


def test_a_name_may_stand_for_a_group_of_samples(tmp_path):
    (tmp_path / "train.txt").write_text("theo\na.wav\n")
    keys = {"a.wav": 0, "b.wav": 1, "c.wav": 2, "theo": [1, 3], "ann": [0, 2]}
    found = split_by_names(keys, {"train": tmp_path / "train.txt", "valid": ["c.wav"]})
    assert {name: own.tolist() for name, own in found.items()} == {"train": [0, 1, 3], "valid": [2]}
    with pytest.raises(
        UserError, match=r"(?s)'ann' is listed twice.*line 2 and dataset.split.valid"
    ):
        split_by_names(keys, {"train": tmp_path / "train.txt", "valid": ["ann"]})


@pytest.mark.parametrize("content", [None, b"\xff\x00a"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    if content:
        (tmp_path / "no.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"(?s)no.txt cannot be read.*correct dataset.split.valid"):
        split_by_names(KEYS, {"valid": tmp_path / "no.txt"})


def place(at):
    return f"line {at + 2}"


def lists(splits):
    return {name: own.tolist() for name, own in splits.items()}


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
    splits = make_splits({}, range(12), split, 0, num_test=4)
    assert [len(own) for own in splits.values()] == [6, 2, 4]
    assert splits["test"].tolist() == [8, 9, 10, 11]
    assert sorted([*splits["train"], *splits["valid"]]) == list(range(8))
    assert set(make_splits({}, range(12), split, 0, num_test=0)) == {"train", "valid"}


def test_a_file_cannot_put_a_sample_of_the_test_set_into_train(tmp_path):
    for name, line in (("train", "0\n"), ("valid", "3\n")):
        (tmp_path / name).write_text(line)
    split = {"train": str(tmp_path / "train"), "valid": str(tmp_path / "valid")}
    keys = {str(at): at for at in range(4)}
    assert lists(make_splits(keys, range(4), split, 0, 0))["valid"] == [3]
    with pytest.raises(UserError, match=r"valid, line 1: there is no sample '3'"):
        make_splits(keys, range(4), split, 0, num_test=1)


def test_two_test_sets_are_refused():
    split = {"train": 0.5, "valid": 0.25, "test": 0.25}
    with pytest.raises(UserError, match=r"(?s)come with a test set.*dataset.split.test=null"):
        make_splits({}, range(12), split, 0, num_test=4)
