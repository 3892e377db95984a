"""Parameters of targets: their names and types, whether a value fits one, and how to say so."""

import inspect
import re
import traceback
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from reprise.config.mistakes import listing
from reprise.errors import UserError


class NoSuchTarget(Exception):
    """A dotted path that leads nowhere.

    Args:
        names: Dotted paths that exist instead of it.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


@dataclass(frozen=True)
class Parameters:
    """The parameters of a function, or of a class's constructor.

    Args:
        annotations: Type of each parameter by name; Any where it cannot be checked.
        required: Names of the parameters without a default.
        is_open: Whether other names are accepted, too (`**kwargs`).
    """

    annotations: dict[str, Any]
    required: frozenset[str]
    is_open: bool = False


def is_own(target: str) -> bool:
    """Return whether a target belongs to reprise: such a one can be imported for the check."""
    return target.startswith("reprise.")


def find_target(target: str) -> Callable[..., Any]:
    """Import a target.

    Args:
        target: Dotted path of a function or class.

    Raises:
        NoSuchTarget: the module, or the name in it, does not exist, or cannot be called.
        UserError: the module cannot be imported.
    """
    found: Any = None
    path = ""
    for name in target.split("."):
        inside, path = path, f"{path}.{name}" if path else name
        if found is not None and hasattr(found, name):
            found = getattr(found, name)
        elif _is_module(path, found):
            found = _import(path, target)
        else:
            raise NoSuchTarget(_names_in(found, target.removeprefix(path), inside))
    if not callable(found):
        raise NoSuchTarget(_names_in(found, "", path))
    return found


def _import(path: str, target: str) -> types.ModuleType:
    try:
        return import_module(path)
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"{target} cannot be imported",
            f"a module {path} that can be",
            f"{type(error).__name__}: {error} ({line.filename}, line {line.lineno})",
            "mend that line, or install what it needs",
        ) from error


def _is_module(path: str, package: Any) -> bool:
    is_inside = package is None or hasattr(package, "__path__")
    try:
        return is_inside and path.rpartition(".")[2].isidentifier() and find_spec(path) is not None
    except ValueError:  # of __main__
        return False


def _names_in(module: Any, rest: str, path: str) -> list[str]:
    """List the targets and modules inside a module, each followed by `rest`."""
    if not isinstance(module, types.ModuleType):
        return []
    # a package's names are often those of modules inside it, as in keras.optimizers
    own = path.partition(".")[0] + "." if hasattr(module, "__path__") and not rest else path
    names = [
        name
        for name, value in vars(module).items()
        if callable(value) and f"{getattr(value, '__module__', '')}".startswith(own)
        if name[0] != "_"
    ]
    names += [found.name for found in iter_modules(getattr(module, "__path__", []))]
    return [f"{path}.{name}{rest}" for name in names]


def parameters_of(target: Callable[..., Any]) -> Parameters:
    """Return the parameters of a function or class, with their types."""
    try:
        signature = inspect.signature(target)
    except ValueError:  # of some compiled functions
        return Parameters({}, frozenset(), is_open=True)
    function = getattr(target, "__init__", None) if isinstance(target, type) else target
    namespace = getattr(function, "__globals__", {})
    named = [
        one
        for one in signature.parameters.values()
        if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}
    ]
    return Parameters(
        {one.name: checkable(_resolve(one.annotation, namespace)) for one in named},
        frozenset(one.name for one in named if one.default is one.empty),
        any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values()),
    )


def _resolve(annotation: Any, namespace: dict[str, Any]) -> Any:
    """Evaluate the names in an annotation; Any if one is only there for type checkers."""
    if annotation is inspect.Parameter.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, namespace, include_extras=True)["it"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return Any


class Built:
    """Placeholder for a class: a config can only build it, by a node with a `_target_`."""


@dataclass(frozen=True)
class PathContext:
    """What decides whether a path exists.

    Args:
        root: Folder that relative paths start from.
        providable: Tells whether the program can make a path that is missing.
    """

    root: Path
    providable: Callable[[Path], bool]


@dataclass(frozen=True)
class Refusal:
    """Why a value does not fit its type.

    Args:
        path: Path that does not exist, if that is the reason.
        kind: 'folder' or 'file', for such a path.
        within: Keys and indices that lead to it inside the value.
    """

    path: str | None = None
    kind: str = ""
    within: tuple[str, ...] = ()


def refusals(value: object, annotation: Any, context: PathContext) -> list[Refusal]:
    """Compare a value with a type, without conversion but from int to float.

    Returns:
        One refusal for every missing path, or one for the value as a whole; none if it fits.
    """
    rules = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
    try:
        TypeAdapter(annotation, config=rules).validate_python(value, context=context)
    except ValidationError as error:
        missing = [one for one in error.errors() if one["type"] == _NO_PATH]
        return [Refusal(**one["ctx"], within=_within(value, one["loc"])) for one in missing] or [
            Refusal()
        ]
    return []


def _within(value: Any, location: tuple[int | str, ...]) -> tuple[str, ...]:
    """Keep the keys and indices of pydantic's location; it also names branches of unions."""
    steps = []
    for step in location:
        is_key = isinstance(value, dict) and step in value
        if is_key or (isinstance(value, list) and isinstance(step, int)):
            value = value[step]
            steps.append(str(step))
    return tuple(steps)


def sqlite_file(url: str) -> str | None:
    """Return the path in `sqlite:///FILE`; None for any other text."""
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+).*", url)
    return found and found[1]


def _existing(value: str, info: ValidationInfo, kind: str) -> str:
    context: PathContext = info.context  # type: ignore[assignment]
    path = context.root / value
    found = path.is_dir() if kind == "folder" else path.is_file()
    if not value or not (found or (not path.exists() and context.providable(path))):
        raise PydanticCustomError(_NO_PATH, "{path}", {"path": value, "kind": kind})
    return value


def _database(value: str, info: ValidationInfo) -> str:
    """Check the file of an SQLite URL; what a server has cannot be checked without asking it."""
    if file := sqlite_file(value):
        _existing(file, info, "file")
    elif not re.match(r"(?!sqlite)\w[\w+]*://", value):
        raise ValueError("no URL of a database")
    return value


_NO_PATH = "no_path"
# What "folder", "file" and "database" mean in `Annotated[str, "folder"]`.
PATHS = {
    "folder": AfterValidator(partial(_existing, kind="folder")),
    "file": AfterValidator(partial(_existing, kind="file")),
    "database": AfterValidator(_database),
}

_PLAIN: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    list: "a list",
    dict: "names with values",
    type(None): "null",
    None: "null",
    Any: "any value",
    Built: "keys with a _target_ among them",
    PATHS["folder"]: "an existing folder",
    PATHS["file"]: "an existing file",
    PATHS["database"]: "sqlite:///FILE of an existing file, or mysql+mysqldb://USER@HOST/DATABASE",
}


def checkable(annotation: Any) -> Any:
    """Return the type that values in a config are compared with.

    The marks "folder", "file" and "database" become validators, a class of reprise becomes `Built`,
    and what a config cannot be compared with (an array, a class of another package) becomes Any.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        base, *marks = arguments
        marks = [PATHS.get(mark, mark) if isinstance(mark, str) else mark for mark in marks]
        return Annotated[(checkable(base), *marks)]
    if origin in {Union, types.UnionType}:
        return Union[tuple(map(checkable, arguments))]  # noqa: UP007
    if origin in {list, dict, tuple, Sequence, Mapping}:
        return origin[tuple(map(checkable, arguments))]
    if origin is Literal or annotation in _PLAIN or annotation in {tuple, ...}:
        return annotation
    is_own = isinstance(annotation, type) and annotation.__module__.startswith("reprise.")
    return Built if is_own else Any


_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def describe(annotation: Any) -> str:
    """Describe a type: `Annotated[float, Gt(0)] | None` is 'a number > 0 or null'."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        return " or ".join(describe(one) for one in arguments)
    if origin is Literal:
        return listing(str(one) for one in arguments)
    if origin is Annotated:
        return _annotated(*arguments)
    if origin is dict:
        return f"names, each with {describe(arguments[1])}"
    if origin is not None and len(arguments) == 1:
        return f"a list, each item {describe(arguments[0])}"
    return str(annotation)


def _annotated(base: Any, *marks: Any) -> str:
    if marks[0] in _PLAIN:
        return _PLAIN[marks[0]]
    text = describe(base)
    limits = []
    for mark in marks:
        if isinstance(mark, annotated_types.Len):
            text = text.replace("a list", f"a list of {_count(mark)}", 1)
        bounds = {sign: getattr(mark, name, None) for name, sign in _SIGNS.items()}
        limits += [f"{sign} {bound}" for sign, bound in bounds.items() if bound is not None]
    return f"{text} {' and '.join(limits)}".strip()


def _count(length: annotated_types.Len) -> str:
    if length.max_length is None:
        return f"{length.min_length} or more"
    if length.min_length == length.max_length:
        return str(length.min_length)
    return f"{length.min_length} to {length.max_length}"


def choices_in(annotation: Any) -> list[str]:
    """Return the texts that a type lists as literals."""
    if get_origin(annotation) is Literal:
        return [one for one in get_args(annotation) if isinstance(one, str)]
    return [text for one in get_args(annotation) for text in choices_in(one)]


def paths(node: Any) -> Iterator[str]:
    """Every text in a config node that could be a path: those with a `/`."""
    if isinstance(node, Mapping | list):
        for value in node.values() if isinstance(node, Mapping) else node:
            yield from paths(value)
    elif isinstance(node, str) and "/" in node:
        yield node
