from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from reprise.config.check import check
from reprise.config.compose import flatten


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
