import pytest

from reprise.config.mistakes import Mistake, as_error, listing, nearest_key, shown

KNOWN = [
    "seed", "loader.batch_size", "loader.workers", "dataset.image_size", "dataset.split",
    "trainer.epochs", "optimizer.learning_rate", "model.dropout",
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("batch_size", "loader.batch_size"),
        ("dataset.batch_size", "loader.batch_size"),  # not the similar dataset.image_size
        ("dataset.imagesize", "dataset.image_size"),
        ("loader.worker", "loader.workers"),
        ("sed", "seed"),
        ("model.learning_rat", "optimizer.learning_rate"),
        ("optimiser.learning_rate", "optimizer.learning_rate"),
        ("quite.different", None),
    ],
)
def test_the_nearest_key(key, meant):
    assert nearest_key(key, KNOWN) == meant


def mistake(number: int) -> Mistake:
    return Mistake(f"what {number}", "a.yaml, line 3", "more", "a://b:hidden@c", "do it")


def test_one_mistake_is_the_error_itself():
    assert str(as_error([mistake(1), mistake(1)], ["x=1"])) == (
        "what 1 (a.yaml, line 3)\n  expected  more\n  received  a://b:***@c\n  to do     do it"
    )


def test_several_mistakes_are_numbered_and_fit_one_screen():
    text = str(as_error([mistake(n) for n in range(10)], ["x=1", "y=a://b:hidden@c"]))
    lines = text.splitlines()
    assert lines[:4] == [
        "10 mistakes in the configuration",
        "   1. what 0 (a.yaml, line 3)",
        "      expected more; received a://b:***@c",
        "      do it",
    ]
    assert lines[-2] == "  received  x=1 y=a://b:***@c"
    assert len(lines) == 1 + 30 + 3


def test_names_and_values_are_cut_short():
    assert listing([]) == "none"
    assert listing(f"name{n}" for n in range(100)).endswith("name18, …")
    assert [shown(value) for value in (None, True, 1.5, "a")] == ["null", "true", "1.5", "'a'"]
    assert len(shown("x y" * 200)) <= 150
