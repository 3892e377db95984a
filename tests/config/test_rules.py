import pytest

from reprise.config.rules import contradictions

GOOD = {
    "trainer.epochs": 5, "trainer.monitor": "valid/iou", "trainer.monitor_mode": "max",
    "trainer.reduce_lr_patience": None, "trainer.recoveries": 0, "trainer.jit_compile": False,
    "trainer.deterministic": None, "model.encoder_freeze": 3,
    "dataset.split": {"train": 0.7, "valid": 0.3, "test": None},
    "optimizer.schedule": "constant", "optimizer.decay_steps": None, "optimizer.warmup_steps": 0,
}  # fmt: skip


def found(changes, mistaken=(), is_debug=False):
    values: dict = {}
    for dotted, value in {**GOOD, **changes}.items():
        group, _, key = dotted.partition(".")
        values.setdefault(group, {})[key] = value
    return contradictions(values, mistaken, str.upper, is_debug=is_debug)


@pytest.mark.parametrize(
    "name",
    ["", " ", "a/", "/a", "..", "a/../b", ".hidden", "last", "Debug", "debug/x", "a ", "a\nb",
     "a\0b", "x" * 256, "x/" * 900 + "x", "\udcff", "team//x", "a/mlruns"],
)  # fmt: skip
def test_a_name_that_no_folder_can_have_is_refused(name):
    (one,) = found({"tracking.experiment": name})
    assert "no runs can be kept under the name" in one.what
    assert found({"tracking.experiment": "team/my iris, the 2nd (ä)"}) == []


def test_the_name_of_the_experiment_counts_where_there_is_no_other():
    values = {"tracking": {"experiment": None, "runs": "~/runs"}}
    wrong = [one.what for one in contradictions(values, (), str, experiment="last")]
    assert [word[:9] for word in wrong] == ["no runs c", "'~/runs' "]


@pytest.mark.parametrize(
    ("changes", "wrong", "right"),
    [
        ({"trainer.monitor": "iou"}, "there is no metric 'iou'", "valid/iou or train/iou"),
        ({"trainer.monitor": "val_iou"}, "no metric 'val_iou'", "valid/iou or train/iou"),
        ({"trainer.monitor": "valid/"}, "no metric 'valid/'", "valid/"),
        ({"trainer.monitor": "test/f1"}, "no metric 'test/f1'", "valid/f1"),
        ({"trainer.monitor_mode": "min"}, "'min' would keep the worst valid/iou", "max"),
        ({"trainer.monitor": "valid/loss"}, "'max' would keep the worst valid/loss", "min"),
        ({"model.encoder_freeze": 5}, "after 5 of 5 epochs", "encoder_freeze below 5"),
        ({"model.encoder_freeze": 6}, "after 6 of 5 epochs", "or true to keep it frozen"),
        ({"dataset.split": {"train": 0.8, "valid": 0.3}}, "together 1.1", "at most 1 together"),
        ({"dataset.split": {"train": -0.1}}, "the fractions are -0.1", "none below 0"),
        ({"optimizer.warmup_steps": 1}, "ignores decay_steps and", "schedule cosine"),
        ({"optimizer.decay_steps": 10}, "ignores decay_steps and", "schedule cosine"),
        ({"optimizer.schedule": "cosine", "trainer.reduce_lr_patience": 3},
         "both the cosine schedule and reduce_lr_patience", "reduce_lr_patience null"),
        ({"optimizer.schedule": "cosine", "trainer.recoveries": 3}, "would lower", "recoveries 0"),
        ({"trainer.jit_compile": True, "trainer.deterministic": True}, "no effect", "one of them"),
        ({"sweep.metric": "valid/loss", "sweep.mode": "max"}, "keep the worst valid/loss", "min"),
        ({"sweep.mode": "min"}, "keep the worst valid/iou", "max"),
        ({"trainer.callbacks": [{"_target_": "keras.callbacks.BackupAndRestore"}]},
         "would put weights of its own", "a run saves and restores itself"),
        ({"optimizer.schedule": "cosine",
          "trainer.callbacks": [{"_target_": "keras.callbacks.ReduceLROnPlateau"}]},
         "both the cosine schedule and ReduceLROnPlateau", "no ReduceLROnPlateau"),
    ],
)  # fmt: skip
def test_each_contradiction_is_told(changes, wrong, right):
    (mistake,) = found(changes)
    assert wrong in mistake.what
    assert right in mistake.expected
    for key, value in changes.items():
        assert key.upper() in mistake.place.split("; ")
        assert f"{key}: {value!r}".lower() in mistake.received.lower()
        assert key in mistake.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {},
        *({"model.encoder_freeze": freeze} for freeze in (True, False, None, 4)),
        {"dataset.split": {"train": 0.7, "valid": 0.2, "test": 0.1}},  # 1 but for rounding
        {"dataset.split": {"train": "a.txt", "valid": "b.txt"}},
        {"dataset.split": "by speaker"},
        {"trainer.jit_compile": True, "trainer.deterministic": None},
        {"optimizer.schedule": "cosine", "optimizer.warmup_steps": 3},
    ],
)
def test_what_goes_together(changes):
    assert found(changes) == []


def test_a_rule_waits_until_its_keys_are_there_and_right_by_themselves():
    assert contradictions({}, (), str) == []
    assert contradictions({"dataset": {"split": "by speaker"}, "trainer": None}, (), str) == []
    changes = {"model.encoder_freeze": 9, "trainer.epochs": "many"}
    assert found(changes, mistaken={"trainer.epochs"}) == []
    changes = {"dataset.split": {"train": 2, "valid": "none.txt"}}
    assert found(changes, mistaken={"dataset.split.valid"}) == []


def test_a_run_made_short_by_debug_contradicts_nothing_by_its_length():
    (mistake,) = found({"model.encoder_freeze": 9, "trainer.monitor_mode": "min"}, is_debug=True)
    assert mistake.remedy == "change trainer.monitor or trainer.monitor_mode"
