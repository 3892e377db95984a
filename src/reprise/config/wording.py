"""A type in plain words, for messages."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types

from reprise.config.annotations import Built
from reprise.config.mistakes import listing
from reprise.config.paths import PATHS

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
}
_WHERE = {"database": "sqlite:///FILE of an existing file, or mysql+mysqldb://USER@HOST/DATABASE"}


def words(annotation: Any) -> str:
    """Say what fits an annotation: `Annotated[float, Gt(0)] | None` is 'a number > 0 or null'."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        return " or ".join(words(one) for one in arguments)
    if origin is Literal:
        return listing(str(one) for one in arguments)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin is dict:
        return f"names, each with {words(arguments[1])}"
    if origin is not None and len(arguments) == 1:
        return f"a list, each item {words(arguments[0])}"
    return str(annotation)


def _annotated(base: Any, marks: tuple[Any, ...]) -> str:
    for kind, marker in PATHS.items():
        if marker in marks:
            return _WHERE.get(kind, f"an existing {kind}")
    text = words(base)
    for mark in marks:
        if isinstance(mark, annotated_types.Len):
            text = text.replace("a list", f"a list of {_count(mark)}", 1)
    limits = " and ".join(limit for mark in marks for limit in _limits(mark))
    return f"{text} {limits}".strip()


def _count(length: annotated_types.Len) -> str:
    if length.max_length is None:
        return f"{length.min_length} or more"
    if length.min_length == length.max_length:
        return str(length.min_length)
    return f"{length.min_length} to {length.max_length}"


def _limits(mark: Any) -> list[str]:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    bounds = [(sign, getattr(mark, name, None)) for name, sign in signs.items()]
    return [f"{sign} {bound}" for sign, bound in bounds if bound is not None]
