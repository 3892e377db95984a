from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from reprise.config.check import check
from reprise.config.compose import Origins, flatten, key_lines
from reprise.config.files import Conf
from reprise.config.overrides import Setting


def test_values_are_plain_and_references_resolved(conf):
    values = check(["experiment=pictures", "trainer.epochs=${seed}", "seed=4"], conf).values
    assert values["trainer"]["epochs"] == 4
    assert type(values["dataset"]["augment"]) is dict
    assert type(values["dataset"]["size"]) is list


def test_composing_within_hydras_own_main_leaves_it_as_it_was(conf):
    with initialize_config_dir(str(conf), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert check(["experiment=pictures"], conf).values["seed"] == 0
        assert GlobalHydra.instance().hydra is running


def test_leaves_get_dotted_names_and_nothing_is_left_out():
    values = {
        "seed": 0,
        "dataset": {"size": [8, 8], "split": {"train": 0.5, "test": None}, "colors": {}},
        "trainer": {"callbacks": [{"a": [1, "é"]}], "jit": True},
    }
    assert flatten(values) == {
        "seed": 0,
        "dataset.size": "[8,8]",
        "dataset.split.train": 0.5,
        "dataset.split.test": None,
        "dataset.colors": "{}",
        "trainer.callbacks": '[{"a":[1,"é"]}]',
        "trainer.jit": True,
    }
    assert flatten({}) == {}


NESTED = """\
# a comment
defaults:
  - other
size: [1,
  2]
inner:
  deep: {x: 1}
  list:
    - a: 1
    - b: 2
"""


def test_lines_of_keys(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(NESTED)
    assert key_lines(path, "group") == {
        "group.size": 4,
        "group.size.0": 4,
        "group.size.1": 5,
        "group.inner": 6,
        "group.inner.deep": 7,
        "group.inner.deep.x": 7,
        "group.inner.list": 8,
        "group.inner.list.0": 9,
        "group.inner.list.0.a": 9,
        "group.inner.list.1": 10,
        "group.inner.list.1.b": 10,
    }


@pytest.fixture
def origins(conf: Path) -> Origins:
    for name, text in (
        ("model", "\nwidth: 1\nkind: a\n"),
        ("config", "seed: 0\n"),
        ("experiment", "model:\n  kind: b\n  new: 1\n"),
    ):
        (conf / f"{name}.yaml").write_text(text)
    files = [(conf / "model.yaml", "model"), (conf / "config.yaml", "")]
    typed = Setting("model.size.x=1", "model.size", "value", "++model.size={x: 1}")
    return Origins([*files, (conf / "experiment.yaml", "")], [typed], Conf(conf))


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("model.width", "conf/model.yaml, line 2"),
        ("model.kind", "conf/experiment.yaml, line 2"),
        ("model.size", "on the command line: model.size.x=1"),
        ("model.size.x", "on the command line: model.size.x=1"),
        ("model.sizes", "conf/experiment.yaml, line 1"),
        ("nowhere", "conf/config.yaml"),
    ],
)
def test_the_last_one_to_set_a_key_is_its_origin(origins, key, place):
    assert origins.place(key) == place


def test_an_experiment_invents_no_key(origins):
    assert origins.own == {"seed", "model.width", "model.kind"}
