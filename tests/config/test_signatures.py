from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Interval

from reprise.config.annotations import Built
from reprise.config.signatures import Signature, read_signature
from reprise.config.sources import NoSuchTarget

MODULE = """
from __future__ import annotations
from typing import Annotated, Literal, Optional
import typing
from annotated_types import Ge, Interval
from dataclasses import dataclass, field, KW_ONLY
from pathlib import Path
from signed.parts import Part, Alias
import numpy as np

raise RuntimeError("reading a signature imports nothing")

class Here: ...

def function(live, other: int, /, positional: float = 1.0, *more, key: Annotated[int, Ge(0)],
             late: Annotated[float, Interval(gt=0, lt=1)] = 0.5): ...

def optional(a: Optional[int] = None, b: "int | None" = None, c: typing.Literal["x"] = "x"): ...

def names(here: Here, part: Part | None, alias: Alias, path: Path, array: np.ndarray, bare): ...

def open_end(a=1, **rest): ...

async def later(a: int): ...

class WithInit:
    field: int = 3
    def __init__(self, *, a: str, b: list[int] = []): ...

class Bare: ...

class Child(Here): ...

@dataclass
class Fields:
    a: int
    _: KW_ONLY
    b: float = 1.0
    c: list[str] = field(default_factory=list)
    d: int = field(init=False)
    e: int = field(repr=False)
    method = 3

@dataclass
class MoreFields(Fields):
    f: int = 1
"""


@pytest.fixture(autouse=True)
def signed(tmp_path, monkeypatch):
    read_signature.cache_clear()
    package = tmp_path / "signed"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text("")
    (package / "module.py").write_text(MODULE)
    (package / "parts.py").write_text("Alias = int\nclass Part: ...\n")
    (package / "star.py").write_text("from signed.parts import *\n")
    (package / "lazy.py").write_text("def __getattr__(name): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def read(name: str) -> Signature:
    found = read_signature(f"signed.module.{name}")
    assert found is not None
    return found


def test_a_function():
    found = read("function")
    assert found.annotations == {
        "live": Any,
        "other": int,
        "positional": float,
        "key": Annotated[int, Ge(0)],
        "late": Annotated[float, Interval(gt=0, lt=1)],
    }
    assert found.required == {"live", "other", "key"}
    assert not found.is_open
    assert read("later").required == {"a"}


def test_annotations_in_other_spellings():
    assert read("optional").annotations == {"a": int | None, "b": int | None, "c": Any}
    assert read("optional").required == frozenset()


def test_classes_are_built_aliases_followed_and_other_names_are_anything():
    assert read("names").annotations == {
        "here": Built, "part": Built | None, "alias": int, "path": Any, "array": Any, "bare": Any,
    }  # fmt: skip


def test_a_function_that_takes_any_name():
    assert read("open_end").is_open


def test_a_class():
    assert read("WithInit").annotations == {"a": str, "b": list[int]}
    assert read("WithInit").required == {"a"}
    assert read("Bare") == Signature({}, frozenset())


def test_a_dataclass():
    assert read("Fields").annotations == {"a": int, "b": float, "c": list[str], "e": int}
    assert read("Fields").required == {"a", "e"}


@pytest.mark.parametrize(
    "target",
    [
        "signed.module.Child",
        "signed.module.MoreFields",
        "signed.module.Path",
        "signed.module.Here.made",
        "signed.star.Part",
        "signed.lazy.anything",
        "math.sqrt",
        "numpy.random.default_rng",
        "keras.callbacks.EarlyStopping",
    ],
)
def test_what_only_an_import_can_tell(target):
    assert read_signature(target) is None


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("signed.module.functoin", "signed.module.function"),
        ("signed.modul.function", "signed.module.function"),
        ("signed.inner.function", None),
        ("no_such_package.function", None),
        ("no such package", None),
        ("", None),
    ],
)
def test_what_leads_nowhere(target, names):
    with pytest.raises(NoSuchTarget) as error:
        read_signature(target)
    assert names is None or names in error.value.names


def test_the_type_of_a_choice_is_read_as_it_is_written():
    found = read_signature("reprise.training.trainer.Trainer")
    assert found is not None
    assert found.annotations["monitor_mode"] == Literal["min", "max"]
