"""What a `_target_` takes, read from its source, because an import could take seconds."""

import ast
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from reprise.config.annotations import Names, evaluate
from reprise.config.sources import NoSuchTarget, bound_names, definition, find_source


@dataclass(frozen=True)
class Signature:
    """The parameters of a function, or of a class's constructor.

    Args:
        annotations: Type of each parameter by name; Any where it cannot be told.
        required: Names of those without a default.
        is_open: Whether it takes any other name as well (`**kwargs`).
    """

    annotations: dict[str, Any]
    required: frozenset[str]
    is_open: bool = False


@cache
def read_signature(target: str) -> Signature | None:
    """Read a target's signature.

    Returns:
        None where only an import could tell: a name from another file, a compiled module, an
        inherited constructor.

    Raises:
        NoSuchTarget: no such module, or no such name in it.
    """
    path, inner = find_source(target)
    if path is None or len(inner) != 1:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    definitions = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    found = definitions.get(inner[0])
    if found is None:
        if {inner[0], "*", "__getattr__"} & bound_names(tree):
            return None
        module = target.rpartition(".")[0]
        public = [name for name in definitions if not name.startswith("_")]
        raise NoSuchTarget(f"a function or class of {module}", [f"{module}.{n}" for n in public])
    names = partial(definition, tree=tree, top=target.partition(".")[0])
    if isinstance(found, ast.ClassDef):
        return _of_class(found, names)
    return _of_function(found, names)


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef, names: Names) -> Signature:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    with_default += [
        argument
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    ]
    everything = {argument.arg: argument for argument in [*positional, *arguments.kwonlyargs]}
    return Signature(
        {name: evaluate(argument.annotation, names) for name, argument in everything.items()},
        frozenset(everything) - {argument.arg for argument in with_default},
        arguments.kwarg is not None,
    )


def _of_class(node: ast.ClassDef, names: Names) -> Signature | None:
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            found = _of_function(member, names)
            own = list(found.annotations)[1:]  # without self
            annotations = {name: found.annotations[name] for name in own}
            return Signature(annotations, found.required & set(own), found.is_open)
    if node.bases:
        return None
    is_dataclass = any("dataclass" in ast.unparse(mark) for mark in node.decorator_list)
    return _of_fields(node, names) if is_dataclass else Signature({}, frozenset())


def _of_fields(node: ast.ClassDef, names: Names) -> Signature:
    annotations, required = {}, set()
    for member in node.body:
        if not isinstance(member, ast.AnnAssign) or not isinstance(member.target, ast.Name):
            continue
        written = ast.unparse(member.annotation)
        default = ast.unparse(member.value) if member.value else ""
        if "ClassVar" in written or "KW_ONLY" in written or "init=False" in default:
            continue
        annotations[member.target.id] = evaluate(member.annotation, names)
        if not default or (default.startswith("field(") and "default" not in default):
            required.add(member.target.id)
    return Signature(annotations, frozenset(required))
