from dataclasses import dataclass
from typing import Any

import pytest

from reprise.config.build import build
from reprise.errors import UserError


@dataclass
class Box:
    content: Any
    size: list[int] | None = None
    options: dict[str, Any] | None = None
    label: str = ""


@dataclass
class Picky:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise UserError("number", "0 or more", str(self.number), "change it")


BOX, PICKY = f"{__name__}.Box", f"{__name__}.Picky"


def test_keys_and_live_objects_reach_the_target():
    live = object()
    box = build({"_target_": BOX, "size": [1, 2], "options": {"a": [3]}}, live, label="x")
    assert box.content is live
    assert box.label == "x"
    assert (type(box.size), box.size) == (list, [1, 2])
    assert (type(box.options), box.options) == (dict, {"a": [3]})


def test_inner_nodes_are_built_first():
    box = build({"_target_": BOX, "content": [{"_target_": PICKY, "number": 3}]})
    assert box.content == [Picky(3)]


def test_a_users_mistake_in_the_target_comes_as_it_is():
    with pytest.raises(UserError, match="0 or more"):
        build({"_target_": PICKY, "number": -1})


def test_a_users_mistake_in_an_inner_node_comes_as_it_is():
    with pytest.raises(UserError, match="0 or more"):
        build({"_target_": BOX, "content": {"_target_": PICKY, "number": -1}})


@pytest.mark.parametrize(
    ("node", "args", "message"),
    [
        ({"_target_": "no_such_module.Thing"}, (), "there is no no_such_module.Thing"),
        ({"_target_": f"{__name__}.Bux"}, (), f"did you mean {BOX}?"),
        ({"_target_": __name__}, (), f"there is no {__name__}"),
        ({"_target_": BOX, "content": 1, "lable": "x"}, (), f"a.b.lable: no such key ({BOX})"),
        ({"_target_": BOX, "content": 1, "lable": "x"}, (), "did you mean a.b.label?"),
        ({"_target_": BOX}, (), "content: is not set"),
        ({"_target_": BOX, "content": 1}, (1,), "content: the program gives this one itself"),
        ({"_target_": PICKY}, (1, 2), f"{PICKY} cannot be called"),
        ({"_target_": BOX, "content": 1, "label": 3}, (), "label: cannot be 3"),
        ({"_target_": BOX, "content": [{"_target_": PICKY, "numbr": 3, "number": 3}]}, (),
         "a.b.content.0.numbr: no such key"),
        ({"_target_": BOX, "content": {"_target_": PICKY}, "lable": 1}, (), "2 mistakes"),
    ],
)  # fmt: skip
def test_a_target_outside_reprise_is_checked_when_it_is_built(node, args, message):
    with pytest.raises(UserError) as error:
        build(node, *args, key="a.b")
    assert message in str(error.value)


def test_what_is_passed_to_the_target_is_neither_missing_nor_a_key():
    assert build({"_target_": BOX, "size": None}, 1, label="x") == Box(1, label="x")


def test_an_error_within_a_module_is_not_taken_for_a_missing_target(tmp_path, monkeypatch):
    (tmp_path / "broken_parts.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        UserError, match=r"(?s)cannot be imported.*no_such_dep.*broken_parts.py, line 1"
    ):
        build({"_target_": "broken_parts.Thing"})


def returns_what_it_is_given(given=1, other=2):
    raise AssertionError("it was called")


@pytest.mark.parametrize(
    ("key", "target", "message"),
    [
        ("model", BOX, f"model._target_: {BOX} is no model"),
        ("model", "keras.Sequential", "a class derived from keras.Model"),
        ("optimizer", "keras.optimizers.Adan", "did you mean keras.optimizers.Adam?"),
        ("optimizer", "keras.optimizers.Optimizer", "a class derived from keras.Optimizer"),
        ("trainer.callbacks.0", "__main__.x", "there is no __main__.x"),
        ("optimizer", PICKY, "a keras.Optimizer, or a function that returns one"),
        ("trainer.callbacks.0", BOX, "is no callback"),
        ("model", f"{__name__}.returns_what_it_is_given", "take them as its given, other"),
    ],
)
def test_what_cannot_be_what_it_stands_for_is_refused_and_not_called(key, target, message):
    with pytest.raises(UserError) as error:
        build({"_target_": target}, *("specs", "specs")[: 2 * (key == "model")], key=key)
    assert message in str(error.value)
