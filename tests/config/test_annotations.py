from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len

from reprise.config.annotations import PATHS, Built, PathContext, Refusal, describe, refusals

FOLDER, FILE = Annotated[str, PATHS["folder"]], Annotated[str, PATHS["file"]] | None
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
        (FILE, "an existing file or null", [], []),
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
        (FILE, "file", []),
        (FILE, None, []),
        (FILE, "folder", [Refusal("folder", "file")]),
        (list[FOLDER], ["folder", "none"], [Refusal("none", "folder", ("1",))]),
        (dict[str, float | FILE], {"a": 0.5, "b": "file", "c": None, "d": "x", "e": "y"},
         [Refusal("x", "file", ("d",)), Refusal("y", "file", ("e",))]),
        (Literal["known"] | FILE, "known", []),
        (Literal["known"] | FILE, "none", [Refusal("none", "file")]),
        (DATABASE, "sqlite:///file", []),
        (DATABASE, "sqlite+pysqlite:///file?timeout=9", []),
        (DATABASE, "sqlite:///made", []),
        (DATABASE, "sqlite:///none?timeout=9", [Refusal("none", "file")]),
        (DATABASE, "sqlite:///folder", [Refusal("folder", "file")]),
    ],
)  # fmt: skip
def test_paths_exist_or_can_be_made(context, annotation, value, refused):
    assert refusals(value, annotation, context) == refused
