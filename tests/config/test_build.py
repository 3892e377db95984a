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


def test_any_other_error_names_the_target():
    with pytest.raises(Exception, match="no_such_module"):
        build({"_target_": "no_such_module.Thing"})
