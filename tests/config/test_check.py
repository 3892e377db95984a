"""Every kind of mistake, each in a project of its own that has no other."""

import pytest

from reprise.config.check import check

GOOD = "experiment=pictures"


def test_a_configuration_without_a_mistake_is_composed(conf):
    composed = check([GOOD, "loader.batch_size=3", "debug=short"], conf)
    assert composed.values["loader"] == {"_target_": "sample_parts.loader", "batch_size": 3}
    assert composed.values["trainer"]["epochs"] == 1
    assert composed.values["seed"] == 0
    assert composed.choices == {
        "dataset": "pictures",
        "model": "net",
        "loader": "default",
        "trainer": "default",
        "experiment": "pictures",
        "debug": "short",
    }
    assert composed.overrides == [GOOD, "loader.batch_size=3", "debug=short"]


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("loader.batchsize=4", ["loader.batchsize: no such key", "mean loader.batch_size?"]),
        ("+loader.batchsize=4", ["(on the command line: +loader.batchsize=4)", "received  4"]),
        ("++seeed=3", ["seeed: no such key", "did you mean seed?"]),
        ("batch_size=4", ["batch_size: no such key", "did you mean loader.batch_size?"]),
        ("model.epochs=4", ["model.epochs: no such key", "did you mean trainer.epochs?"]),
        ("optimiser.rate=4", ["optimiser.rate: no such key", "received  4", "leave it out"]),
        ("dataset.augment.flipp=true", ["did you mean dataset.augment.flip?"]),
        ("model.zzz=1", ["a key of sample_parts.net: width, kind, drop, encoder_freeze"]),
        ("modle=net", ["modle: no such key", "did you mean model?"]),
        ("sweep.num_trials=3", ["sweep.num_trials: no such key"]),
        ("loader.seed=3", ["the program gives this one itself", "did you mean seed?"]),
        ("loader.split=test", ["the program gives this one itself", "leave it out"]),
        ("model.input_spec=3", ["model.input_spec: the program gives"]),
    ],
)
def test_unknown_keys(message, override, parts):
    text = message(GOOD, override)
    assert text.startswith(parts[0].split(":")[0] if ": no such" in parts[0] else "")
    assert [part for part in parts if part not in text] == []
    assert override in text


@pytest.mark.parametrize(
    ("override", "expected", "received"),
    [
        ("loader.batch_size=abc", "a whole number >= 1", "'abc'"),
        ("loader.batch_size=0", "a whole number >= 1", "0"),
        ("loader.batch_size=2.0", "a whole number >= 1", "2.0"),
        ("loader.batch_size=null", "a whole number >= 1", "null"),
        ("loader.batch_size=true", "a whole number >= 1", "true"),
        ("model.drop=1", "a number >= 0 and < 1", "1"),
        ("model.drop=.nan", "a number >= 0 and < 1", "'.nan'"),
        ("model.drop=nan", "a number >= 0 and < 1", "nan"),
        ("model.encoder_freeze=0", "true or false or a whole number >= 1", "0"),
        ("dataset.size=[8]", "a list of 2, each item a whole number >= 1", "[8]"),
        ("dataset.size=[8,-8]", "a list of 2, each item a whole number >= 1", "[8, -8]"),
        ("dataset.colors={road: 3}", "names, each with a list, each item a whole", "{'road': 3}"),
        ("dataset.augment.rotation=left", "a number >= 0", "'left'"),
        ("dataset.augment.flip=1", "true or false", "1"),
        ("seed=-1", "a whole number >= 0 and < 4294967296", "-1"),
        ("dataset={a: 1, _target_: sample_parts.anything, known: x}", "a whole number", "'x'"),
    ],
)
def test_values_of_the_wrong_type_or_out_of_range(message, override, expected, received):
    text = message(GOOD, override)
    key = override.partition("=")[0]
    assert text.startswith(key)
    assert f"expected  {expected}" in text
    assert f"received  {received}" in text
    assert f"(on the command line: {override})" in text


def test_a_name_that_is_not_in_the_list_gets_the_nearest_one(message):
    text = message(GOOD, "model.kind=plane")
    assert "model.kind: cannot be 'plane'" in text
    assert "expected  plain, wide" in text
    assert "did you mean plain?" in text


def test_whole_numbers_stand_for_numbers_and_data_is_no_key(conf):
    good = ["model.drop=0", "dataset.colors={road: [1, 2, 3]}", "dataset.colors.sky=[4,5,6]"]
    values = check([GOOD, *good], conf).values
    assert values["dataset"]["colors"] == {"road": [1, 2, 3], "sky": [4, 5, 6]}
    assert values["model"]["drop"] == 0


def test_keys_with_forms_that_hydra_would_refuse_are_taken_when_they_are_known(conf):
    assert check([GOOD, "+seed=3", "++model.width=9"], conf).values["seed"] == 3


def test_missing_paths(message, conf):
    text = message(GOOD, "dataset.folder=dta", "dataset.weights=none.h5")
    assert "dataset.folder: no such folder: dta (on the command line: dataset.folder=dta)" in text
    assert "did you mean data?" in text
    assert "dataset.weights: no such file: none.h5" in text
    assert "expected published or an existing file or null" in text
    assert str(conf.parent) in text


def test_a_path_within_data_is_named_by_its_own_key(message):
    text = message(GOOD, "dataset.split={train: 0.5, valid: none.txt}")
    assert text.startswith("dataset.split.valid: no such file: none.txt")


def test_a_file_in_the_place_of_a_folder(message, conf):
    (conf.parent / "list.txt").write_text("")
    text = message(GOOD, "dataset.folder=list.txt", providable=lambda path: True)
    assert "no such folder: list.txt" in text
    assert "received  something else of that name" in text
    assert "did you mean" not in text


def test_a_path_that_the_program_can_make_is_no_mistake(conf):
    asked = []
    overrides = [GOOD, "dataset.folder=later"]
    check(overrides, conf, lambda path: not asked.append(path))
    assert asked == [conf.parent / "later"]


def test_a_missing_argument(message):
    text = message(GOOD, "~model.width")
    assert text.startswith("model.width: is not set (conf/model/net.yaml, line 1)")
    assert "a whole number >= 1; sample_parts.net has no default for it" in text


def test_a_deletion_of_nothing(message):
    assert "model.widht: cannot be applied" in message(GOOD, "~model.widht")


def test_a_deletion_of_what_has_a_default(conf):
    assert "drop" not in check([GOOD, "~model.drop"], conf).values["model"]


def test_a_mandatory_value_that_is_not_given(message):
    text = message("dataset=pictures", "model=net")
    assert text.startswith("dataset.folder: has no value (conf/dataset/pictures.yaml, line 2)")


def test_a_reference_that_leads_nowhere(message):
    text = message(GOOD, "model.width=${sead}", "model.drop=${oc.env:NO_SUCH_VARIABLE}")
    assert "model.width: has no value" in text
    assert "Interpolation key 'sead' not found" in text
    assert "'NO_SUCH_VARIABLE' not found" in text


def test_a_reference_to_itself(message):
    assert message(GOOD, "seed=${seed}").startswith("seed: has no value")


def test_a_reference_within_data_that_leads_nowhere(message):
    text = message(GOOD, "dataset.split={train: 0.5, valid: '${nowhere}'}")
    assert text.startswith("dataset.split.valid: has no value")
    text = message(GOOD, "dataset.augment.rotation=${nowhere}")
    assert text.startswith("dataset.augment.rotation: has no value")


def test_no_experiment(message):
    text = message("loader.batch_size=2")
    assert text.startswith("no experiment is chosen")
    assert "experiment=NAME, one of: pictures" in text
    assert "make: exp=pictures" in text


def test_no_choice_for_a_group(message):
    text = message(GOOD, "~model")
    assert text.startswith("model: no choice is made")
    assert "one of: net, other_net" in text


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("experiment=pictuers", ["there is no 'pictuers'", "mean pictures?"]),
        ("model=nett", ["model: there is no 'nett'", "one of: net, other_net", "mean net?"]),
        ("experiment=xyz", ["experiment: there is no 'xyz'", "see the files in conf/experiment/"]),
        ("debug=zzz", ["debug: there is no 'zzz'", "see the files in conf/debug/"]),
    ],
)
def test_unknown_options(message, override, parts):
    text = message(GOOD, override)
    assert [part for part in parts if part not in text] == []
    assert "mistakes" not in text  # the nearest option stands in, and nothing else is wrong


def test_a_choice_for_a_group_that_config_yaml_does_not_name(conf):
    assert check([GOOD, "sweep=grid"], conf).values["sweep"] == {"num_trials": 4}
    assert check([GOOD, "+sweep=grid", "sweep.num_trials=5"], conf).choices["sweep"] == "grid"


def test_keys_of_a_group_without_a_target(message):
    assert "did you mean sweep.num_trials?" in message(GOOD, "sweep=grid", "sweep.num_trails=5")


def test_a_choice_of_nothing(conf):
    assert "debug" not in check([GOOD, "debug=null"], conf).choices


@pytest.mark.parametrize(
    "override", ["seed", "loader.batch_size=[1", "=3", "seed=1=2", "--multirun", "seed=range(3,1)"]
)
def test_unreadable_overrides(message, override):
    assert f"cannot be read (on the command line: {override})" in message(GOOD, override)


def test_all_mistakes_are_listed_at_once_each_of_them_once(message):
    overrides = [
        "experiment=pictuers", "seed=[1", "seeed=3", "loader.batchsize=4", "model=nte",
        "dataset.folder=nowhere", "trainer.epochs=0", "trainer.monitor=iou", "dataset.size.x=3",
        "hydra.nonsense=1", "~model.width", "dataset.augment.flip=maybe",
    ]  # fmt: skip
    text = message(*overrides)
    assert text.startswith("12 mistakes in the configuration\n   1. ")
    listed = text[: text.index("\n  expected  ")]
    assert [word for word in overrides if word not in listed] == ["~model.width"]
    assert "model.width: is not set" in listed
    assert len(listed.splitlines()) == 1 + 12 * 3


def test_one_mistake_in_many_values_of_a_sweep(message):
    text = message(GOOD, "model=net,nte", "loader.batch_size=1,2,0,-1", multirun=True)
    assert text.startswith("3 mistakes")
    assert "model: there is no 'nte'" in text
    assert "loader.batch_size: cannot be 0" in text
    assert "loader.batch_size: cannot be -1" in text


def test_a_sweep_is_checked_in_every_value(conf):
    sweep = ["model=net,other_net", "loader.batch_size=choice(1,2)", "seed=range(0,4)"]
    composed = check([GOOD, *sweep], conf, multirun=True)
    assert composed.choices["model"] == "net"
    assert composed.values["loader"]["batch_size"] == 1


def test_a_sweep_over_groups_may_make_a_key_unknown(message):
    text = message(GOOD, "model=net,other_net", "model.width=5", multirun=True)
    assert text.startswith("model.width: no such key")
    assert "a key of sample_parts.other_net: depth" in text


@pytest.mark.parametrize(
    ("override", "wrong"),
    [
        ("model.drop=interval(0,1)", "model.drop: cannot be 1"),
        ("model.drop=range(0,3)", "model.drop: cannot be 2"),
        ("model=glob(*zzz)", "it stands for no value at all"),
    ],
)
def test_sweeps_of_other_forms(message, override, wrong):
    assert wrong in message(GOOD, override, multirun=True)


def test_several_values_without_a_sweep(message):
    text = message(GOOD, "loader.batch_size=1,2")
    assert "several values, but this is one run" in text
    assert "received  1, 2" in text


def test_a_password_in_an_override_is_not_shown(message):
    text = message(GOOD, "trainer.urll='mysql://me:hidden@host/db'", "seeed=3")
    assert "hidden" not in text
    assert "mysql://me:***@host/db" in text


def test_hydras_own_settings_are_left_to_hydra(conf):
    assert check([GOOD, "hydra.run.dir=elsewhere"], conf).values["seed"] == 0
