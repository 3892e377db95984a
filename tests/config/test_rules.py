import pytest

from reprise.config.rules import RULES, contradictions

GOOD = {
    "trainer": {
        "epochs": 5, "monitor": "valid/iou", "monitor_mode": "max", "reduce_lr_patience": None,
        "recoveries": 0,
    },
    "model": {"encoder_freeze": 3},
    "dataset": {"split": {"train": 0.7, "valid": 0.3, "test": None}},
    "optimizer": {"schedule": "constant", "decay_steps": None, "warmup_steps": 0},
}  # fmt: skip

WRONG = {
    "trainer.monitor": [
        ("iou", "valid/iou or train/iou"), ("val_iou", "valid/iou or"), ("valid/", "valid/"),
        ("test/f1", "valid/f1"),
    ],
    "trainer.monitor_mode": [("min", "max")],
    "model.encoder_freeze": [(5, "encoder_freeze below 5"), (6, "or true to keep it frozen")],
    "dataset.split": [
        ({"train": 0.8, "valid": 0.3}, "at most 1 together"), ({"train": -0.1}, "none below 0"),
    ],
    "optimizer.warmup_steps": [(1, "schedule cosine")],
    "optimizer.decay_steps": [(10, "schedule cosine")],
    "optimizer.schedule": [],
}  # fmt: skip


def changed(**changes):
    values = {group: dict(keys) for group, keys in GOOD.items()}
    for dotted, value in changes.items():
        group, _, key = dotted.partition("__")
        values[group][key] = value
    return values


def found(values, mistaken=(), is_debug=False):
    return list(contradictions(values, mistaken, is_debug=is_debug))


def test_every_rule_is_applied_to_a_whole_configuration_and_content():
    assert len(RULES) == 8
    assert found(GOOD) == []


def test_rules_without_their_keys_are_not_applied():
    assert found({}) == []
    assert found({"dataset": {"split": "by speaker"}, "trainer": None}) == []


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [(key, value, right) for key, cases in WRONG.items() for value, right in cases],
)
def test_each_contradiction_is_told(key, value, right):
    ((keys, wrong, expected),) = found(changed(**{key.replace(".", "__"): value}))
    assert key in keys
    assert right in expected
    assert wrong


def test_a_schedule_and_a_patience_would_both_set_the_rate():
    values = changed(optimizer__schedule="cosine", trainer__reduce_lr_patience=3)
    ((keys, wrong, _),) = found(values)
    assert keys == ("optimizer.schedule", "trainer.reduce_lr_patience")
    assert "both the cosine schedule and reduce_lr_patience" in wrong


def test_a_rate_that_a_schedule_sets_is_not_lowered_by_going_back():
    values = changed(optimizer__schedule="cosine", trainer__recoveries=3)
    ((keys, wrong, right),) = found(values)
    assert keys == ("optimizer.schedule", "trainer.recoveries")
    assert "would lower" in wrong
    assert "recoveries 0" in right


@pytest.mark.parametrize("freeze", [True, False, None, 4])
def test_an_encoder_that_is_let_go_in_time_or_never_is_fine(freeze):
    assert found(changed(model__encoder_freeze=freeze)) == []


def test_fractions_that_are_one_up_to_rounding_are_fine():
    assert found(changed(dataset__split={"train": 0.7, "valid": 0.2, "test": 0.1})) == []
    assert found(changed(dataset__split={"train": "a.txt", "valid": "b.txt"})) == []


def test_a_run_shrunk_for_debugging_is_excused_where_its_length_is_the_reason():
    values = changed(model__encoder_freeze=9, trainer__monitor_mode="min")
    ((keys, _, _),) = found(values, is_debug=True)
    assert keys == ("trainer.monitor", "trainer.monitor_mode")


def test_a_rule_waits_until_its_keys_are_right_by_themselves():
    values = changed(model__encoder_freeze=9, trainer__epochs="many")
    assert found(values, mistaken={"trainer.epochs"}) == []
    values = changed(dataset__split={"train": 2, "valid": "none.txt"})
    assert found(values, mistaken={"dataset.split.valid"}) == []


def test_xla_and_determinism_exclude_one_another():
    values = changed(trainer__jit_compile=True, trainer__deterministic=True)
    ((keys, wrong, _),) = found(values)
    assert keys == ("trainer.jit_compile", "trainer.deterministic")
    assert "no effect" in wrong
    assert found(changed(trainer__jit_compile=True, trainer__deterministic=None)) == []
