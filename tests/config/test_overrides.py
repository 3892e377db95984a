"""A recorded configuration composes again to what it was, whatever its texts hold."""

import pytest

from reprise.config.check import check
from reprise.config.overrides import restate

VALUES = [
    "a b", "it's", "back\\slash", "end\\", "q\\'x", "", "a,b=c:[d]{e}", "é中", "null", "true", "12",
    '"quoted"', "a\\\\b", "$x", "odd/${seed}", [1, 2.5, 1e-7, True, None, "x"],
    {"sky": [128, 0, 3]}, {"a": None}, {"traffic light": 1, "a:b": 2},
]  # fmt: skip


def again(composed, *changes):
    overrides = restate(composed.values, composed.choices, list(changes))
    return check(overrides, providable=lambda path: True)


@pytest.fixture
def first():
    words = ["experiment=segmentation", "optimizer=sgd", "model.backbone=vgg16", "seed=7"]
    return check(words, providable=lambda path: True)


def test_every_plain_value_survives(first):
    first.values["trainer"]["callbacks"] = VALUES
    assert again(first).values == first.values
    assert "experiment" not in again(first).choices


def test_changes_win_and_another_option_brings_its_own_values(first):
    first.values["optimizer"]["learning_rate"] = 0.5
    values = again(first, "optimizer=adam", "trainer.epochs=9", "dataset.split.train=0.5").values
    assert values["optimizer"]["_target_"].endswith("adam")
    assert values["optimizer"]["learning_rate"] != 0.5
    assert values["trainer"]["epochs"] == 9
    assert values["dataset"]["split"] == {"train": 0.5, "valid": 0.15, "test": 0.15}


def test_debug_shrinks_a_recorded_run_and_sends_it_elsewhere(first):
    values = again(first, "debug=smoke", "trainer.epochs=3").values
    assert (values["trainer"]["epochs"], values["trainer"]["steps_per_epoch"]) == (3, 2)
    assert values["tracking"]["runs"] == "runs/debug"
    assert values["model"] == first.values["model"]
