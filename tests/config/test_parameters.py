from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len

from reprise.config.parameters import (
    PATHS,
    Built,
    NoSuchTarget,
    Parameters,
    PathContext,
    Refusal,
    describe,
    find_target,
    parameters_of,
    refusals,
)
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


OPTIONAL_FILE = FILE | None
DATABASE = Annotated[str, PATHS["database"]]


@pytest.fixture
def context(tmp_path: Path) -> PathContext:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    return PathContext(tmp_path, lambda path: path.name.startswith("made"))


@pytest.mark.parametrize(
    ("annotation", "said", "good", "bad"),
    [
        (int, "a whole number", [3, -3], [3.0, True, "3", None]),
        (float, "a number", [3, 3.5], [True, "3", float("nan"), float("inf")]),
        (bool, "true or false", [True], [1, "true"]),
        (str, "a text", ["", "a"], [3]),
        (None, "null", [None], [0]),
        (int | None, "a whole number or null", [None, 1], ["x"]),
        (Literal["a", "b"], "a, b", ["a"], ["c", None]),
        (Annotated[float, Gt(0)], "a number > 0", [1e-9], [0]),
        (Annotated[float, Interval(ge=0, lt=1)], "a number >= 0 and < 1", [0], [1]),
        (Annotated[int, Ge(1), Le(3)], "a whole number >= 1 and <= 3", [1, 3], [0, 4]),
        (list[int], "a list, each item a whole number", [[], [1]], [1, ["x"]]),
        (Annotated[list[float], Len(2, 2)], "a list of 2, each item a number", [[1, 2]], [[1]]),
        (Annotated[list[Any], Len(1)], "a list of 1 or more, each item any value", [[1]], [[]]),
        (Annotated[list, Len(1, 2)], "a list of 1 to 2", [[1]], [[], [1, 2, 3]]),
        (Sequence[float], "a list, each item a number", [[1, 2.5]], [["x"]]),
        (dict[str, int], "names, each with a whole number", [{"a": 1}], [{"a": "x"}, [1]]),
        (dict, "names with values", [{}], [[]]),
        (Built | None, "keys with a _target_ among them or null", [None], ["x", {"a": 1}]),
        (Any, "any value", [None, 1, "x"], []),
        (FOLDER, "an existing folder", [], []),
        (OPTIONAL_FILE, "an existing file or null", [], []),
        (DATABASE, "sqlite:///FILE of an existing file, or mysql+mysqldb://USER@HOST/DATABASE",
         ["mysql+mysqldb://user@host/none"],
         ["file", "", "sqlite://", "sqlite:///", "sqlite:file", "//h/d"]),
        (Literal["folder"], "folder", ["folder"], []),
    ],
)  # fmt: skip
def test_what_fits_and_how_it_is_said(context, annotation, said, good, bad):
    assert describe(annotation) == said
    assert [refusals(value, annotation, context) for value in good] == [[] for _ in good]
    assert [refusals(value, annotation, context) for value in bad] == [[Refusal()]] * len(bad)


@pytest.mark.parametrize(
    ("annotation", "value", "refused"),
    [
        (FOLDER, "folder", []),
        (FOLDER, "file", [Refusal("file", "folder")]),
        (FOLDER, "none", [Refusal("none", "folder")]),
        (FOLDER, "", [Refusal("", "folder")]),
        (FOLDER, "made/later", [Refusal("made/later", "folder")]),
        (FOLDER, "made", []),
        (OPTIONAL_FILE, "file", []),
        (OPTIONAL_FILE, None, []),
        (OPTIONAL_FILE, "folder", [Refusal("folder", "file")]),
        (list[FOLDER], ["folder", "none"], [Refusal("none", "folder", ("1",))]),
        (dict[str, float | OPTIONAL_FILE], {"a": 0.5, "b": "file", "c": None, "d": "x", "e": "y"},
         [Refusal("x", "file", ("d",)), Refusal("y", "file", ("e",))]),
        (Literal["known"] | OPTIONAL_FILE, "known", []),
        (Literal["known"] | OPTIONAL_FILE, "none", [Refusal("none", "file")]),
        (DATABASE, "sqlite:///file", []),
        (DATABASE, "sqlite+pysqlite:///file?timeout=9", []),
        (DATABASE, "sqlite:///made", []),
        (DATABASE, "sqlite:///none?timeout=9", [Refusal("none", "file")]),
        (DATABASE, "sqlite:///folder", [Refusal("folder", "file")]),
    ],
)  # fmt: skip
def test_paths_exist_or_can_be_made(context, annotation, value, refused):
    assert refusals(value, annotation, context) == refused
