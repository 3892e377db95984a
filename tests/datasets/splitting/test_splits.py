"""Splits by fraction, and what a config may ask of a split."""

import numpy as np
import pytest

from reprise.datasets.splitting.splits import make_splits, split_by_fraction
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


def test_half_a_sample_goes_to_train():
    found = splits(3, train=0.5, valid=0.5)
    assert {name: len(own) for name, own in found.items()} == {"train": 2, "valid": 1}


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


def test_samples_are_dealt_in_no_order_of_their_own():
    assert splits(200)["train"].tolist() != list(range(140))


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


def test_no_test_split():
    assert set(splits(10, train=0.8, valid=0.2, test=None)) == {"train", "valid"}


def test_files_are_read_where_files_are_named(tmp_path):
    for name, line in (("train", "s4"), ("valid", "s1")):
        (tmp_path / name).write_text(line)
    found = splits(5, train=str(tmp_path / "train"), valid=str(tmp_path / "valid"))
    assert {name: own.tolist() for name, own in found.items()} == {"train": [4], "valid": [1]}


def test_lists_are_taken_out_first_and_fractions_are_of_the_rest():
    found = splits(20, train=0.75, valid=0.25, test=["s3", "s5", "s7", "s9"])
    assert found["test"].tolist() == [3, 5, 7, 9]
    assert {name: len(own) for name, own in found.items()} == {"train": 12, "valid": 4, "test": 4}
    assert sorted(np.concatenate(list(found.values()))) == list(range(20))


def test_all_three_may_be_lists():
    found = splits(6, train=["s0", "s1"], valid=["s2"], test=["s5"])
    assert [own.tolist() for own in found.values()] == [[0, 1], [2], [5]]


def test_fractions_of_nothing_are_refused():
    with pytest.raises(UserError, match="the split 'valid' is empty"):
        splits(2, train=0.5, valid=0.5, test=["s0", "s1"])


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
