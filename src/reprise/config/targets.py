"""Targets: functions and classes that a `_target_` names, and the parameters they take."""

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from reprise.config.annotations import checkable


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
    """
    found: Any = None
    path = ""
    for name in target.split("."):
        inside, path = path, f"{path}.{name}" if path else name
        if found is not None and hasattr(found, name):
            found = getattr(found, name)
        elif _is_module(path, found):
            found = import_module(path)
        else:
            raise NoSuchTarget(_names_in(found, target.removeprefix(path), inside))
    if not callable(found):
        raise NoSuchTarget(_names_in(found, "", path))
    return found


def _is_module(path: str, package: Any) -> bool:
    is_inside = package is None or hasattr(package, "__path__")
    return is_inside and path.rpartition(".")[2].isidentifier() and find_spec(path) is not None


def _names_in(module: Any, rest: str, path: str) -> list[str]:
    """List the targets and modules inside a module, each followed by `rest`."""
    if not isinstance(module, types.ModuleType):
        return []
    names = [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == path and name[0] != "_"
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
