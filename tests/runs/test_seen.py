import pytest
from seen import seen

from reprise.runs.compare_seen import changed_params, is_of_one_class, short_names


def test_runs_of_one_configuration_differ_in_nothing():
    assert changed_params([seen("a"), seen("b")]) == {}
    assert changed_params([seen("a")]) == {}


def test_what_differs_is_named_with_the_value_of_each_run():
    params = {"optimizer.learning_rate": "0.01", "model.units": "[128]", "seed": "0"}
    more = params | {"update.parent": "x"}
    assert changed_params([seen("a"), seen("b", params=params), seen("c", params=more)]) == {
        "optimizer.learning_rate": ["0.001", "0.01", "0.01"],
        "update.parent": [None, None, "x"],
    }


def test_what_another_option_brings_with_it_is_told_by_the_option():
    mlp = {"experiment": "digits", "model": "mlp"}
    own = {
        "optimizer.learning_rate": "0.001",
        "model.units": "[64]",
        "model.act": "relu",
        "seed": "0",
    }
    runs = [seen("a"), seen("b", choices=mlp, params=own)]
    assert changed_params(runs) == {"model": ["cnn", "mlp"]}
    runs.append(seen("c", choices=mlp, params=own | {"model.units": "[9]"}))
    assert changed_params(runs) == {
        "model": ["cnn", "mlp", "mlp"],
        "model.units": ["[128]", "[64]", "[9]"],
    }


@pytest.mark.parametrize(
    ("keys", "short"),
    [
        ([], []),
        (["seed", "optimizer.learning_rate"], ["seed", "learning_rate"]),
        (["a.rate", "b.rate"], ["a.rate", "b.rate"]),
        (["a.x.rate", "b.x.rate", "a.y.rate"], ["a.x.rate", "b.x.rate", "y.rate"]),
        (["rate", "a.rate"], ["rate", "a.rate"]),
    ],
)
def test_keys_are_as_short_as_they_can_be_told_apart(keys, short):
    assert [*short_names(keys).items()] == [*zip(keys, short, strict=True)]


def test_the_score_of_a_class_is_known_by_that_of_all():
    assert is_of_one_class("f1_cat", ["f1", "f1_cat"])
    assert not is_of_one_class("f1", ["f1", "f1_cat"])
    assert not is_of_one_class("f1_cat", ["f1_cat", "loss"])
