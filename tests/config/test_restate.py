"""A recorded configuration composes again to what it was, whatever its texts hold."""

from hydra.core.override_parser.overrides_parser import OverridesParser

from reprise.config.check import check
from reprise.config.restate import _said, restate

VALUES = [
    "a b", "it's", "back\\slash", "end\\", "q\\'x", "", "a,b=c:[d]{e}", "é中", "null", "true", "12",
    '"quoted"', "a\\\\b", "$x", [1, 2.5, 1e-7, True, None, "x"], {"sky": [128, 0, 3]}, {"a": None},
]  # fmt: skip


def anything(path):
    return True


def test_every_plain_value_survives_hydras_grammar():
    parser = OverridesParser.create()
    for value in VALUES:
        assert parser.parse_override("key=" + _said(value)).value() == value


def test_keys_with_spaces_and_colons_survive():
    read = OverridesParser.create().parse_override("key=" + _said({"traffic light": 1, "a:b": 2}))
    assert read.value() == {"traffic light": 1, "a:b": 2}


def test_a_configuration_composes_again_to_what_it_was():
    words = [
        "experiment=segmentation", "optimizer=sgd", "model.backbone=vgg16", "seed=7",
        "dataset.mask_mode=colors", "dataset.colors={traffic light: [1,2,3], sky: [4,5,6]}",
        "dataset.augment.zoom_range=[0.8,1.2]", "dataset.images='an odd \\'name\\''",
    ]  # fmt: skip
    first = check(words, providable=anything)
    again = check(restate(first.values, first.choices, []), providable=anything)
    assert again.values == first.values
    assert "experiment" not in again.choices


def test_a_reference_is_not_resolved_a_second_time():
    first = check(["experiment=segmentation"], providable=anything)
    first.values["dataset"]["images"] = "odd/${seed}"
    again = check(restate(first.values, first.choices, []), providable=anything)
    assert again.values["dataset"]["images"] == "odd/${seed}"


def test_changes_win_and_another_option_brings_its_own_values():
    first = check(["experiment=segmentation", "optimizer.learning_rate=0.5"], providable=anything)
    changes = ["optimizer=sgd", "trainer.epochs=99", "dataset.split.train=0.5"]
    again = check(restate(first.values, first.choices, changes), providable=anything).values
    assert again["optimizer"]["_target_"].endswith("sgd")
    assert again["optimizer"]["learning_rate"] != 0.5
    assert again["trainer"]["epochs"] == 99
    assert again["dataset"]["split"] == {"train": 0.5, "valid": 0.15, "test": 0.15}
