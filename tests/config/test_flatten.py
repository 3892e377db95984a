from reprise.config.flatten import flatten


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


def test_nothing_gives_nothing():
    assert flatten({}) == {}
