"""A parameter's annotation: evaluated from source, said in plain words, held against a value."""

import ast
import builtins
import collections.abc
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import annotated_types
from pydantic import ConfigDict, TypeAdapter, ValidationError

from reprise.config.paths import NO_PATH, PATHS, Surroundings

_SCOPE: dict[str, Any] = {
    **{name: getattr(typing, name) for name in typing.__all__},
    **{name: getattr(collections.abc, name) for name in collections.abc.__all__},
    **{name: getattr(annotated_types, name) for name in annotated_types.__all__},
    **vars(builtins),
    "PATHS": PATHS,
}


class _PathMarkers(ast.NodeTransformer):
    """Put the check of a path in the place of the "folder", "file" or "database" that marks one."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        is_annotated = ast.unparse(node.value).split(".")[-1] == "Annotated"
        if is_annotated and isinstance(node.slice, ast.Tuple):
            node.slice.elts = [_marker(element) for element in node.slice.elts]
        return node


def _marker(element: ast.expr) -> ast.expr:
    if isinstance(element, ast.Constant) and element.value in PATHS:
        return ast.parse(f"PATHS[{element.value!r}]", mode="eval").body
    return element


class Built:
    """Stands for a class that a config cannot write down, only build by a node of its own."""


Names = Callable[[str], ast.ClassDef | ast.expr | None]


def evaluate(annotation: ast.expr | None, names: Names) -> Any:
    """Evaluate an annotation with the names of builtins, typing, annotated_types, collections.abc.

    Args:
        annotation: As it stands in the source.
        names: Finds what another name stands for: a class of the same package, or an alias.

    Returns:
        The type, such classes being `Built`; Any where there is none, or where it uses other names.
    """
    if annotation is None:
        return Any
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    expression = ast.fix_missing_locations(ast.Expression(_PathMarkers().visit(annotation)))
    used = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    found = {name: names(name) for name in used - set(_SCOPE)}
    own = {
        name: Built if isinstance(meaning, ast.ClassDef) else evaluate(meaning, lambda _: None)
        for name, meaning in found.items()
        if meaning is not None
    }
    try:
        return eval(compile(expression, "<annotation>", "eval"), {**_SCOPE, **own})
    except (NameError, AttributeError, TypeError):
        return Any


@dataclass(frozen=True)
class Refusal:
    """Why a value does not fit its annotation.

    Args:
        path: The path that does not exist, where that is the reason.
        kind: 'folder' or 'file', for such a path.
        within: Where in the value that path stands, as keys and indices.
    """

    path: str | None = None
    kind: str = ""
    within: tuple[str, ...] = ()


def refusals(value: object, annotation: Any, surroundings: Surroundings) -> list[Refusal]:
    """Hold a value against an annotation, strictly: only a whole number may stand for a number.

    Returns:
        One for every missing path, else one for the value as a whole; none where it fits.
    """
    rules = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
    try:
        TypeAdapter(annotation, config=rules).validate_python(value, context=surroundings)
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["type"] == NO_PATH]
        return [
            Refusal(one["ctx"]["path"], one["ctx"]["kind"], _within(value, one["loc"]))
            for one in wrong
        ] or [Refusal()]
    return []


def _within(value: object, location: tuple[int | str, ...]) -> tuple[str, ...]:
    """Keep of pydantic's location what is a key or an index, and drop the names of its branches."""
    steps = []
    for step in location:
        is_key = isinstance(value, dict) and step in value
        if is_key or (isinstance(value, list) and isinstance(step, int)):
            value = value[step]  # type: ignore[index]
            steps.append(str(step))
    return tuple(steps)
