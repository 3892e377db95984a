"""Every kind of mistake, each in a project of its own that has no other."""

import pytest

from reprise.config.check import check, check_each
from reprise.errors import UserError

GOOD = "experiment=pictures"


def test_a_configuration_without_a_mistake_is_composed(conf):
    composed = check([GOOD, "loader.batch_size=3", "debug=short"], conf)
    assert composed.values["loader"] == {"_target_": "reprise.sample_parts.loader", "batch_size": 3}
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
        ("+loader.batchsize=4", ["loader.batchsize: no such key", "received  4"]),
        ("++seeed=3", ["seeed: no such key", "did you mean seed?"]),
        ("batch_size=4", ["batch_size: no such key", "did you mean loader.batch_size?"]),
        ("model.epochs=4", ["model.epochs: no such key", "did you mean trainer.epochs?"]),
        ("optimiser.rate=4", ["optimiser.rate: no such key", "received  4", "leave it out"]),
        ("dataset.augment.flipp=true", ["did you mean dataset.augment.flip?"]),
        ("model.zzz=1", ["a key of reprise.sample_parts.net: width, kind, drop, encoder_freeze"]),
        ("modle=net", ["modle: no such key", "did you mean model?"]),
        ("sweep.num_trials=3", ["sweep.num_trials: no such key"]),
        ("loader.seed=3", ["the program gives this one itself", "did you mean seed?"]),
        ("loader.split=test", ["the program gives this one itself", "leave it out"]),
        ("model.input_spec=3", ["model.input_spec: the program gives"]),
        ("model.kind=plane", ["model.kind: cannot be 'plane'", "plain, wide", "mean plain?"]),
        ("dataset.folder=dta", ["dataset.folder: no such folder: dta", "did you mean data?"]),
        ("dataset.weights=none.h5",
         ["no such file: none.h5", "expected  published or an existing file or null"]),
        ("dataset.split={train: 0.5, valid: none.txt}",
         ["dataset.split.valid: no such file: none.txt"]),
        ("model.width=${sead}", ["model.width: has no value", "key 'sead' not found"]),
        ("model.drop=${oc.env:NO_SUCH_VARIABLE}", ["model.drop: has no value", "'NO_SUCH_VAR"]),
        ("seed=${seed}", ["seed: has no value"]),
        ("dataset.split={train: 0.5, valid: '${x}'}", ["dataset.split.valid: has no value"]),
        ("dataset.augment.rotation=${x}", ["dataset.augment.rotation: has no value"]),
        ("~model.widht", ["model.widht: cannot be applied"]),
        ("experiment=pictuers", ["there is no 'pictuers'", "mean pictures?"]),
        ("model=nett", ["model: there is no 'nett'", "one of: net, other_net", "mean net?"]),
        ("experiment=xyz", ["experiment: there is no 'xyz'", "see the files in conf/experiment/"]),
        ("debug=zzz", ["debug: there is no 'zzz'", "see the files in conf/debug/"]),
        ("loader.batch_size=1,2", ["several values, but this is one run", "received  1,2"]),
        ("debug=short,null", ["debug: several values", "choose one"]),
        ("hydra.run.dir=elsewhere", ["hydra.run.dir: has no effect", "leave it out"]),
        ("dataset.weights=None", ["cannot be 'None'", "write null: dataset.weights=null"]),
        ("seed=1e3", ["received  1000.0", "write 1000"]),
        ("seed=007", ["without a zero in front"]),
        ("loader.batch_size=0x10", ["in decimal digits"]),
        ("model.drop='1e-3'", ["write the number without quotes"]),
        ("dataset.augment.flip=yes", ["write true or false"]),
        ("dataset.size=8", ["write a list: dataset.size=[8]"]),
        ("model.drop=0,5", ["a fraction 0.5"]),
        ("seed=range(3,1)", ["seed: several values", "a list is written seed=[1,2]"]),
    ],
)  # fmt: skip
def test_one_mistake_on_the_command_line(message, override, parts):
    words = [override] if override.startswith("experiment=") else [GOOD, override]
    text = message(*words)
    assert "mistakes" not in text
    assert f"(on the command line: {override})" in text
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    "override", ["seed", "loader.batch_size=[1", "=3", "seed=1=2", "--multirun"]
)
def test_unreadable_overrides(message, override):
    assert f"cannot be read (on the command line: {override})" in message(GOOD, override)


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("model.kind=\u201cplain\u201d", "for \u201c (U+201C, left double quotation mark)"),
        ("seed=4\u00a0", "(U+00A0, no-break space)"),
        ("\u200bseed=4", "(U+200B, zero width space)"),
        ("model.drop=1e\u22123", "for \u2212 (U+2212, minus sign)"),
        ("\u2013seed=4", "(U+2013, en dash)"),
        ("--seed=4", "leave the - out"),
        ("seed =4", "leave the space out: seed=4"),
        ("seed 4", "give it a value: seed=4"),
        ("seed", "give it a value: seed=VALUE"),
    ],
)
def test_what_is_typed_for_something_else_is_named(message, override, remedy):
    assert remedy in message(GOOD, override)


def test_two_choices_for_one_group_are_refused(message):
    assert "experiment: chosen twice" in message(GOOD, "experiment=other")
    assert "model: chosen twice" in message(GOOD, "model=net", "model=other_net")


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("model._target_=os.system", ["os.system is of Python itself, and no model"]),
        ("model._target_=builtins.exec", ["builtins.exec is of Python itself"]),
        ("loader._target_=subprocess.run", ["and no loader"]),
        ("dataset.augment={_target_: shutil.rmtree, path: data}", ["and no augment"]),
        ("trainer.callbacks=[{_target_: os.system, command: 'touch pwned'}]", ["and no callback"]),
        ("model._target_=os", ["no dotted path"]),
        ("model._target_=3", ["no dotted path", "received  3"]),
        ("model._target_=null", ["no dotted path", "received  null"]),
        ("model._target_=reprise.sample_parts:net", ["did you mean reprise.sample_parts.net?"]),
        ("model._target_=reprise/sample_parts.py", ["did you mean reprise.sample_parts?"]),
        ("model._target_=reprise.sample_parts.augment", ["is no model", "takes input_spec, targ"]),
        ("trainer._target_=reprise.sample_parts.augment", ["is no trainer", "takes epochs, mon"]),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_what_it_stands_for_is_refused_by_name(message, override, parts):
    text = message(GOOD, override)
    assert "mistakes" not in text
    assert "._target_: " in text
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    ("override", "expected", "received"),
    [
        ("loader.batch_size=abc", "a whole number >= 1", "'abc'"),
        ("loader.batch_size=null", "a whole number >= 1", "null"),
        ("model.drop=nan", "a number >= 0 and < 1", "nan"),
        ("dataset.size=[8,-8]", "a list of 2, each item a whole number >= 1", "[8, -8]"),
        ("dataset.colors={road: 3}", "names, each with a list, each item a whole", "{'road': 3}"),
        ("seed=-1", "a whole number >= 0 and < 4294967296", "-1"),
        (
            "dataset={a: 1, _target_: reprise.sample_parts.anything, known: x}",
            "a whole number",
            "'x'",
        ),
    ],
)
def test_values_of_the_wrong_type_or_out_of_range(message, override, expected, received):
    text = message(GOOD, override)
    assert text.startswith(override.partition("=")[0])
    assert f"expected  {expected}" in text
    assert f"received  {received}" in text
    assert f"(on the command line: {override})" in text


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ["no experiment is chosen", "experiment=NAME, one of: pictures", "exp=pictures"]),
        ([GOOD, "~model"], ["model: no choice is made (conf/config.yaml)", "one of: net, other"]),
        ([GOOD, "~model.width"],
         ["model.width: is not set (conf/model/net.yaml, line 1)",
          "a whole number >= 1; reprise.sample_parts.net has no default for it"]),
        ([GOOD, "~seed"], ["seed: is not set (conf/config.yaml)", "a whole number >= 0"]),
        (["dataset=pictures", "model=net"],
         ["dataset.folder: has no value (conf/dataset/pictures.yaml, line 2)"]),
        ([GOOD, "sweep=grid", "sweep.num_trails=5"], ["did you mean sweep.num_trials?"]),
    ],
)  # fmt: skip
def test_what_is_missing(message, words, parts):
    text = message(*words)
    assert "mistakes" not in text
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["model.drop=0"], "model.drop", 0),  # a whole number is a number
        (["dataset.colors={road: [1, 2, 3]}", "dataset.colors.sky=[4,5,6]"], "dataset.colors",
         {"road": [1, 2, 3], "sky": [4, 5, 6]}),  # data, and no keys
        (["+seed=3"], "seed", 3),  # forms that Hydra itself would refuse
        (["++model.width=9"], "model.width", 9),
        (["~model.drop"], "model", {"_target_": "reprise.sample_parts.net", "width": 4,
                                    "kind": "plain", "encoder_freeze": False}),
        (["sweep=grid"], "sweep", {"num_trials": 4}),  # a group that config.yaml does not name
        (["+sweep=grid", "sweep.num_trials=5"], "sweep", {"num_trials": 5}),
        (["debug=null"], "trainer.epochs", 5),
    ],
)  # fmt: skip
def test_what_is_taken(conf, words, key, value):
    found = check([GOOD, *words], conf).values
    for name in key.split("."):
        found = found[name]
    assert found == value


def test_a_path_that_the_program_can_make_is_no_mistake(conf, message):
    asked = []
    check([GOOD, "dataset.folder=later"], conf, lambda path: not asked.append(path))
    assert asked == [conf.parent / "later"]
    (conf.parent / "list.txt").write_text("")
    text = message(GOOD, "dataset.folder=list.txt", providable=lambda path: True)
    assert "no such folder: list.txt" in text
    assert f"received  something else of that name (it starts from {conf.parent})" in text
    assert "did you mean" not in text


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


def test_mistakes_of_several_command_lines_are_listed_each_of_them_once(conf):
    jobs = [[GOOD, "seeed=3", f"model={model}"] for model in ("net", "other_net", "nte")]
    with pytest.raises(UserError) as caught:
        check_each([*jobs, [GOOD, "model=other_net", "model.width=5"]], conf)
    text = str(caught.value)
    assert text.startswith("3 mistakes")
    assert "model: there is no 'nte'" in text
    assert "a key of reprise.sample_parts.other_net: depth" in text
    found = check_each([[GOOD, f"seed={seed}"] for seed in (3, 1)], conf)
    assert [composed.values["seed"] for composed in found] == [3, 1]


def test_a_password_in_an_override_is_not_shown(message):
    text = message(GOOD, "trainer.urll='mysql://me:hidden@host/db'", "seeed=3")
    assert "hidden" not in text
    assert "mysql://me:***@host/db" in text
