import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from reprise.config.check import check
from reprise.config.compose import compose
from reprise.errors import UserError

GOOD = "experiment=pictures"


@pytest.mark.parametrize(
    "overrides",
    [
        [GOOD],
        [GOOD, "model=other_net", "debug=short"],
        [GOOD, "+dataset.colors.sky=[1,2,3]", "dataset.weights='published'", "~model.drop"],
        [GOOD, "trainer.epochs=${seed}", "seed=4", "+sweep=grid"],
    ],
)
def test_composing_gives_what_the_check_gives(conf, overrides):
    assert compose(overrides, conf) == check(overrides, conf)


def test_values_are_plain_and_references_resolved(conf):
    values = compose([GOOD, "trainer.epochs=${seed}", "seed=4"], conf).values
    assert values["trainer"]["epochs"] == 4
    assert type(values["dataset"]["augment"]) is dict
    assert type(values["dataset"]["size"]) is list


def test_unknown_keys_are_not_composings_business(conf):
    assert compose([GOOD, "loader.batchsize=4"], conf).values["loader"]["batchsize"] == 4


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=[1", "cannot be read"),
        ("seed=1,2", "several values"),
        ("dataset.size.x=3", "cannot be applied"),
        ("seed=${nothing}", "has no value"),
    ],
)
def test_what_cannot_be_composed_is_refused(conf, override, said):
    with pytest.raises(UserError, match=said):
        compose([GOOD, override], conf)


def test_composing_within_hydras_own_main_leaves_it_as_it_was(conf):
    with initialize_config_dir(str(conf), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert compose([GOOD], conf).values["seed"] == 0
        assert GlobalHydra.instance().hydra is running
    assert not GlobalHydra.instance().is_initialized()
