"""Signatures of targets, read from source: importing one could take seconds or load TensorFlow."""

import ast
import builtins
import collections.abc
import re
import typing
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Any

import annotated_types

from reprise.config.annotations import PATHS, Built


class NoSuchTarget(Exception):
    """A dotted path that leads nowhere.

    Args:
        names: Dotted paths that exist instead of it.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


@dataclass(frozen=True)
class Signature:
    """The parameters of a function, or of a class's constructor.

    Args:
        annotations: Type of each parameter by name; Any where it is not known.
        required: Names of the parameters without a default.
        is_open: Whether other names are accepted, too (`**kwargs`).
    """

    annotations: dict[str, Any]
    required: frozenset[str]
    is_open: bool = False


UNKNOWN = Signature({}, frozenset(), is_open=True)


@cache
def read_signature(target: str) -> Signature:
    """Read the signature of a function or class.

    Args:
        target: Dotted path.

    Returns:
        The signature; `UNKNOWN` where only an import could tell: a name that the module imports
        itself, a compiled module, an inherited constructor.

    Raises:
        NoSuchTarget: the module, or the name in it, does not exist.
    """
    spec, rest = _find(target)
    if spec.origin is None or not spec.origin.endswith(".py"):
        return UNKNOWN
    module = target.removesuffix("." + ".".join(rest)) if rest else target
    source = Path(spec.origin).read_text(encoding="utf-8")
    tree = ast.parse(source)
    definitions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    if len(rest) == 1 and rest[0] in definitions:
        return _signature(definitions[rest[0]], _Names(module, tree))
    if rest and re.search(rf"\b{re.escape(rest[0])}\b|import \*|__getattr__", source):
        return UNKNOWN
    inside = [name for name in definitions if not name.startswith("_")]
    inside += [found.name for found in iter_modules(spec.submodule_search_locations or [])]
    raise NoSuchTarget([".".join([module, name, *rest[1:]]) for name in inside])


def _find(target: str) -> tuple[ModuleSpec, list[str]]:
    """Find a target's module, without importing its packages, and the names that follow it."""
    top, *rest = target.split(".")
    spec = find_spec(top) if top.isidentifier() else None
    if spec is None:
        raise NoSuchTarget([])
    while rest and (inner := PathFinder.find_spec(rest[0], spec.submodule_search_locations or [])):
        spec, rest = inner, rest[1:]
    return spec, rest


def _signature(node: ast.FunctionDef | ast.ClassDef, names: "_Names") -> Signature:
    if isinstance(node, ast.FunctionDef):
        return _of_function(node, names)
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            found = _of_function(member, names)
            own = dict(list(found.annotations.items())[1:])  # without self
            return Signature(own, found.required & set(own), found.is_open)
    if node.bases:
        return UNKNOWN
    is_dataclass = any("dataclass" in ast.unparse(mark) for mark in node.decorator_list)
    return _of_fields(node, names) if is_dataclass else Signature({}, frozenset())


def _of_function(node: ast.FunctionDef, names: "_Names") -> Signature:
    positional = [*node.args.posonlyargs, *node.args.args]
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    required = positional[: len(positional) - len(node.args.defaults)]
    required += [argument for argument, default in keywords if default is None]
    return Signature(
        {one.arg: names.type_of(one.annotation) for one in [*positional, *node.args.kwonlyargs]},
        frozenset(argument.arg for argument in required),
        node.args.kwarg is not None,
    )


def _of_fields(node: ast.ClassDef, names: "_Names") -> Signature:
    annotations, required = {}, set()
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        default = ast.unparse(field.value) if field.value else ""
        if re.search("ClassVar|KW_ONLY", ast.unparse(field.annotation)) or "init=False" in default:
            continue
        annotations[field.target.id] = names.type_of(field.annotation)
        if not default or (default.startswith("field(") and "default" not in default):
            required.add(field.target.id)
    return Signature(annotations, frozenset(required))


class _Annotated:
    """`Annotated` in which "folder", "file" and "database" become validators of paths."""

    def __class_getitem__(cls, items: tuple[Any, ...]) -> Any:
        base, *marks = items
        marks = [PATHS.get(mark, mark) if isinstance(mark, str) else mark for mark in marks]
        return Annotated[(base, *marks)]


class _Names(dict[str, Any]):
    """Namespace in which a module's annotations are evaluated, without importing the module.

    It holds the names of builtins, typing, collections.abc and annotated_types. Others are looked
    up in the source, also of other modules of the package: a class is `Built`, an alias its value.
    """

    def __init__(self, module: str, tree: ast.Module) -> None:
        for known in (typing, collections.abc, annotated_types):
            self.update({name: getattr(known, name) for name in known.__all__})
        self.update(vars(builtins), Annotated=_Annotated)
        self._package = module.partition(".")[0]
        self._body = list(tree.body)
        for node in tree.body:  # if TYPE_CHECKING
            self._body += node.body if isinstance(node, ast.If) else []

    def type_of(self, annotation: ast.expr | None) -> Any:
        """Evaluate an annotation; Any if there is none, or if it uses other names."""
        match annotation:
            case None:
                return Any
            case ast.Constant(value=str(text)):
                pass
            case _:
                text = ast.unparse(annotation)
        try:
            return eval(text, {}, self)
        except (NameError, AttributeError, TypeError):
            return Any

    def __missing__(self, name: str) -> Any:
        for node in self._body:
            match node:
                case ast.ClassDef(name=found) if found == name:
                    return Built
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    return self.type_of(value)
                case ast.ImportFrom(module=str(module), names=aliases):
                    own = [one.name for one in aliases if name == (one.asname or one.name)]
                    if own and module.partition(".")[0] == self._package:
                        origin = _find(module)[0].origin
                        source = Path(origin).read_text(encoding="utf-8") if origin else ""
                        return _Names(module, ast.parse(source))[own[0]]
        raise KeyError(name)
