from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from annotated_types import Ge, Interval

from reprise.config.annotations import PATHS, Built
from reprise.config.targets import NoSuchTarget, Parameters, find_target, parameters_of
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras


def function(live, other: int, /, positional: float = 1.0, *more, key: Annotated[int, Ge(0)],
             late: Annotated[float, Interval(gt=0, lt=1)] = 0.5): ...  # fmt: skip


def texts(b: "int | None" = None, c: Annotated[str, "file"] = "x", d: Literal["file"] = "file",
          e: "Annotated[str, 'folder'] | None" = None): ...  # fmt: skip


def names(own: Spec, late: "keras.Model", path: Path, callback: type[int], bare, *rest: int): ...


def nested(
    a: list[Spec | None], b: dict[str, Annotated[str, "file"] | None], c: tuple[int, ...]
): ...


def open_end(a: int = 1, **rest): ...


class WithInit:
    field: int = 3

    def __init__(self, *, a: "str", b: list[int] | None = None): ...


class Child(WithInit): ...


class Bare: ...


@dataclass
class Fields:
    a: int
    _: KW_ONLY
    b: float = 1.0
    c: list[str] = field(default_factory=list)
    d: int = field(init=False)
    e: "int" = field(repr=False)


@dataclass
class MoreFields(Fields):
    f: int = 1


FILE, FOLDER = (Annotated[str, PATHS[kind]] for kind in ("file", "folder"))
INIT = {"a": str, "b": list[int] | None}
FIELDS = {"a": int, "b": float, "c": list[str], "e": int}


@pytest.mark.parametrize(
    ("target", "annotations", "required"),
    [
        (function,
         {"live": Any, "other": int, "positional": float, "key": Annotated[int, Ge(0)],
          "late": Annotated[float, Interval(gt=0, lt=1)]}, {"live", "other", "key"}),
        (texts, {"b": int | None, "c": FILE, "d": Literal["file"],
                 "e": FOLDER | None}, set()),
        (names, {"own": Built, "late": Any, "path": Any, "callback": Any, "bare": Any},
         {"own", "late", "path", "callback", "bare"}),
        (nested, {"a": list[Built | None], "b": dict[str, FILE | None], "c": tuple[int, ...]},
         {"a", "b", "c"}),
        (WithInit, INIT, {"a"}),
        (Child, INIT, {"a"}),
        (Bare, {}, set()),
        (Fields, FIELDS, {"a", "e"}),
        (MoreFields, FIELDS | {"f": int}, {"a", "e"}),
    ],
)  # fmt: skip
def test_parameters_of_functions_and_classes(target, annotations, required):
    assert parameters_of(target) == Parameters(annotations, frozenset(required))
    assert find_target(f"{__name__}.{target.__name__}") is target


def test_a_function_that_takes_any_name():
    assert parameters_of(open_end) == Parameters({"a": int}, frozenset(), is_open=True)
    assert parameters_of(print).is_open or parameters_of(print).annotations


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (f"{__name__}.functoin", f"{__name__}.function"),
        (f"{__name__}", f"{__name__}.function"),
        ("reprise.modls.mlp.build", "reprise.models.mlp.build"),
        ("reprise.models.mlpp.build", "reprise.models.mlp.build"),
        ("reprise.models.mlp.bild", "reprise.models.mlp.build"),
        ("no_such_package.function", None),
        ("no such package", None),
        ("", None),
    ],
)
def test_what_leads_nowhere(target, name):
    with pytest.raises(NoSuchTarget) as error:
        find_target(target)
    assert name is None or name in error.value.names
