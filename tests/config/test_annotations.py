import ast
from pathlib import Path

import pytest

from reprise.config.annotations import Refusal, evaluate, refusals
from reprise.config.paths import Surroundings
from reprise.config.wording import words

PART = ast.ClassDef("Part", [], [], [], [])


def annotation(text: str):
    return evaluate(ast.parse(text, mode="eval").body, {"Part": PART}.get)


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    return Surroundings(tmp_path, lambda path: path.name.startswith("made"))


@pytest.mark.parametrize(
    ("text", "said", "good", "bad"),
    [
        ("int", "a whole number", [3, -3], [3.0, True, "3", None]),
        ("float", "a number", [3, 3.5], [True, "3", float("nan"), float("inf")]),
        ("bool", "true or false", [True], [1, "true"]),
        ("str", "a text", ["", "a"], [3]),
        ("None", "null", [None], [0]),
        ("int | None", "a whole number or null", [None, 1], ["x"]),
        ("Literal['a', 'b']", "a, b", ["a"], ["c", None]),
        ("Annotated[float, Gt(0)]", "a number > 0", [1e-9], [0]),
        ("Annotated[float, Interval(ge=0, lt=1)]", "a number >= 0 and < 1", [0], [1]),
        ("Annotated[int, Ge(1), Le(3)]", "a whole number >= 1 and <= 3", [1, 3], [0, 4]),
        ("list[int]", "a list, each item a whole number", [[], [1]], [1, ["x"]]),
        ("Annotated[list[float], Len(2, 2)]", "a list of 2, each item a number", [[1, 2]], [[1]]),
        ("Annotated[list[Any], Len(1)]", "a list of 1 or more, each item any value", [[1]], [[]]),
        ("Annotated[list, Len(1, 2)]", "a list of 1 to 2", [[1]], [[], [1, 2, 3]]),
        ("Sequence[float]", "a list, each item a number", [[1, 2.5]], [["x"]]),
        ("dict[str, int]", "names, each with a whole number", [{"a": 1}], [{"a": "x"}, [1]]),
        ("dict", "names with values", [{}], [[]]),
        ("Part | None", "keys with a _target_ among them or null", [None], ["x", {"a": 1}]),
        ("Any", "any value", [None, 1, "x"], []),
        ("Unknown[int]", "any value", [None, 1, "x"], []),
    ],
)
def test_what_fits_and_how_it_is_said(surroundings, text, said, good, bad):
    found = annotation(text)
    assert words(found) == said
    assert [refusals(value, found, surroundings) for value in good] == [[] for _ in good]
    assert [refusals(value, found, surroundings) for value in bad] == [[Refusal()] for _ in bad]


FOLDER, FILE = "Annotated[str, 'folder']", "Annotated[str, 'file'] | None"
DATABASE = "Annotated[str, 'database']"


@pytest.mark.parametrize(
    ("text", "value", "refused"),
    [
        (FOLDER, "folder", None),
        (FOLDER, "file", ()),
        (FOLDER, "none", ()),
        (FOLDER, "", ()),
        (FOLDER, "made/later", ()),
        (FOLDER, "made", None),
        (FILE, "file", None),
        (FILE, None, None),
        (FILE, "folder", ()),
        (f"list[{FOLDER}]", ["folder", "none"], ("1",)),
        (f"dict[str, float | {FILE}]", {"a": 0.5, "b": "file", "c": None, "d": "none"}, ("d",)),
        (f"Literal['known'] | {FILE}", "known", None),
        (f"Literal['known'] | {FILE}", "none", ()),
        (DATABASE, "sqlite:///file", None),
        (DATABASE, "sqlite+pysqlite:///file?timeout=9", None),
        (DATABASE, "sqlite:///made", None),
        (DATABASE, "sqlite:///none", ()),
        (DATABASE, "sqlite:///folder", ()),
        (DATABASE, "mysql+mysqldb://user@host/none", None),
    ],
)
def test_paths_must_exist_or_be_providable(surroundings, text, value, refused):
    found = refusals(value, annotation(text), surroundings)
    assert [one.within for one in found] == ([] if refused is None else [refused])
    assert all(one.path is not None for one in found)


@pytest.mark.parametrize("value", ["file", "", "sqlite://", "sqlite:///", "sqlite:file", "//h/d"])
def test_what_is_no_url_of_a_database_is_a_wrong_value(surroundings, value):
    assert refusals(value, annotation(DATABASE), surroundings) == [Refusal()]


def test_the_file_of_a_database_is_named_without_its_url(surroundings):
    found = refusals("sqlite:///none?timeout=9", annotation(DATABASE), surroundings)
    assert found == [Refusal("none", "file")]
    assert words(annotation(DATABASE)).startswith("sqlite:///FILE of an existing file, or mysql")


def test_every_missing_path_is_named(surroundings):
    found = refusals({"a": "x", "b": "y"}, annotation(f"dict[str, {FILE}]"), surroundings)
    assert found == [Refusal("x", "file", ("a",)), Refusal("y", "file", ("b",))]


def test_a_choice_named_like_a_marker_is_no_path(surroundings):
    assert refusals("folder", annotation("Literal['folder']"), surroundings) == []
    assert words(annotation(FOLDER)) == "an existing folder"
    assert words(annotation(FILE)) == "an existing file or null"
