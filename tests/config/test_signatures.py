from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Interval

from reprise.config.annotations import PATHS, Built
from reprise.config.signatures import UNKNOWN, NoSuchTarget, Signature, read_signature

MODULE = """
from __future__ import annotations
from typing import TYPE_CHECKING, Annotated, Literal, Optional
import typing
from annotated_types import Ge, Interval
from dataclasses import dataclass, field, KW_ONLY
from pathlib import Path
from signed.parts import Part, Alias as Renamed
import numpy as np

if TYPE_CHECKING:
    from signed.parts import Late

raise RuntimeError("reading a signature imports nothing")

class Here: ...

def function(live, other: int, /, positional: float = 1.0, *more, key: Annotated[int, Ge(0)],
             late: Annotated[float, Interval(gt=0, lt=1)] = 0.5): ...

def texts(a: Optional[int] = None, b: "int | None" = None, c: Annotated[str, "file"] = "x",
          d: Literal["file"] = "file"): ...

def names(here: Here, part: Part | None, alias: Renamed, late: Late, path: Path, array: np.ndarray,
          other: Unknown[int], spelt: typing.Literal["x"], bare): ...

def open_end(a=1, **rest): ...

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
    (package / "parts.py").write_text(
        "raise RuntimeError\nAlias = int\nclass Part: ...\nclass Late: ...\n"
    )
    (package / "star.py").write_text("from signed.parts import *\n")
    (package / "lazy.py").write_text("def __getattr__(name): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "annotations", "required"),
    [
        ("function",
         {"live": Any, "other": int, "positional": float, "key": Annotated[int, Ge(0)],
          "late": Annotated[float, Interval(gt=0, lt=1)]}, {"live", "other", "key"}),
        ("texts",
         {"a": int | None, "b": int | None, "c": Annotated[str, PATHS["file"]],
          "d": Literal["file"]}, set()),
        ("WithInit", {"a": str, "b": list[int]}, {"a"}),
        ("Bare", {}, set()),
        ("Fields", {"a": int, "b": float, "c": list[str], "e": int}, {"a", "e"}),
    ],
)  # fmt: skip
def test_functions_and_classes(name, annotations, required):
    assert read_signature(f"signed.module.{name}") == Signature(annotations, frozenset(required))


def test_classes_are_built_aliases_followed_and_other_names_are_anything():
    assert read_signature("signed.module.names").annotations == {
        "here": Built, "part": Built | None, "alias": int, "late": Built, "path": Any,
        "array": Any, "other": Any, "spelt": Any, "bare": Any,
    }  # fmt: skip


def test_a_function_that_takes_any_name():
    assert read_signature("signed.module.open_end") == Signature({"a": Any}, frozenset(), True)


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
    assert read_signature(target) is UNKNOWN


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("signed.module.functoin", "signed.module.function"),
        ("signed.modul.function", "signed.module.function"),
        ("signed.module", "signed.module.function"),
        ("signed.inner.function", None),
        ("no_such_package.function", None),
        ("no such package", None),
        ("", None),
    ],
)
def test_what_leads_nowhere(target, name):
    with pytest.raises(NoSuchTarget) as error:
        read_signature(target)
    assert name is None or name in error.value.names
