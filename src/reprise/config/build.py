"""Objects built from nodes with a `_target_`; the only caller of Hydra's instantiate."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from reprise.config.mistakes import Mistake, as_error
from reprise.config.parameters import NoSuchTarget, PathContext, find_target, is_own
from reprise.config.sections import LIVE, Inspection, Section, target_section
from reprise.errors import UserError
from reprise.project import ROOT

# Kinds that the program needs, by what they stand for.
KERAS = {"model": "Model", "optimizer": "Optimizer", "callback": "Callback"}


def build(node: dict[str, Any], *args: Any, key: str = "", **live: Any) -> Any:
    """Call a node's `_target_` with the node's values and with arguments of the program.

    Args:
        node: Plain values with a `_target_`; nodes inside it are built first.
        args: Positional arguments.
        key: Dotted key of the node, for messages.
        live: Keyword arguments.

    Returns:
        What the target returns.

    Raises:
        UserError: a target outside reprise does not exist or does not take these keys, or a target
            refuses its values.
    """
    if key == "optimizer" and _is_keras(str(node["_target_"]), "Optimizer"):
        args = ()  # its schedule, if it has one, knows its steps
    check_foreign(node, key, args, live)
    try:
        target = instantiate(node, _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _user_error_in(error) or error from None
    return target(*args, **live)


def check_foreign(
    node: Mapping[str, Any],
    key: str,
    args: tuple[Any, ...] = (),
    live: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Import the targets outside reprise in a node and compare its keys with their signatures.

    Args:
        node: Plain values, with a `_target_` in them or further inside.
        key: Dotted key of the node, for messages.
        args: Positional arguments that the program passes to the node's target.
        live: Keyword arguments that the program passes to it.
        extra: Further keys that the node may have, with their types.

    Raises:
        UserError: a target does not exist, keys are unknown or missing, or values do not fit.
    """
    mistakes: list[Mistake] = []
    for inner, found in _nodes(node, key):
        target = str(found["_target_"])
        if is_own(target):
            continue
        _refuse_other_kind(target, inner)
        if found is node:
            section = target_section(found, inner, _given(target, args, live or {}, key), extra)
        else:
            section = target_section(found, inner, frozenset())
        mistakes += _mistakes_in(section)
    if mistakes:
        raise as_error(mistakes, [])


def _mistakes_in(section: Section) -> list[Mistake]:
    known = [section.dotted(name) for name in section.takes]
    context = PathContext(ROOT, providable=lambda path: False)
    inspection = Inspection(context, known, place=lambda key: section.title)
    return list(dict(inspection.of_section(section)).values())


def _nodes(value: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over the nodes with a `_target_` in a value, each with its dotted key."""
    if isinstance(value, dict) and "_target_" in value:
        yield key, value
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _nodes(item, f"{key}.{name}" if key else str(name))


def _refuse_other_kind(target: str, key: str) -> None:
    """Refuse a class that is none of Keras's kind where the program needs one."""
    role = re.sub(r"^(trainer\.)?callbacks\.\d+$", "callback", key)
    base = KERAS.get(role)
    if base is None:
        return
    try:
        found = find_target(target)
    except NoSuchTarget:
        return  # said with the other mistakes
    is_base = getattr(found, "__name__", "") in (base, "Sequential", "Functional")
    is_base = is_base and getattr(found, "__module__", "").startswith("keras.")
    if isinstance(found, type) and (is_base or not _is_keras(target, base)):
        derived = f"a class derived from keras.{base}" if is_base else f"a keras.{base}"
        raise UserError(
            f"{key}._target_: {target} is no {role}",
            f"{derived}, or a function that returns one",
            f"the class {target}",
            "name another target",
        )


def _is_keras(target: str, base: str) -> bool:
    """Return whether a target is a class of Keras, or derived from it; Keras is not imported."""
    if is_own(target):
        return False
    try:
        found = find_target(target)
    except NoSuchTarget:
        return False
    kinds = getattr(found, "__mro__", ())
    return any(kind.__name__ == base and "keras" in kind.__module__ for kind in kinds)


def _given(
    title: str, args: tuple[Any, ...], live: Mapping[str, Any], key: str = ""
) -> frozenset[str]:
    """Return the names of a target's parameters that the program passes itself."""
    if not (args or live):
        return frozenset()
    try:
        signature = inspect.signature(find_target(title))
        given = frozenset(signature.bind_partial(*args, **live).arguments)
    except NoSuchTarget:
        return frozenset()
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{title} cannot be called",
            f"a function or class that takes {len(args)} arguments by position"
            + "".join(f", and {name}" for name in live),
            str(error),
            "give it these parameters; docs/add_a_model.md and docs/add_a_dataset.md show how",
        ) from None
    passed = LIVE.get(key, frozenset())
    first = [*signature.parameters.values()][: len(args)]
    others = [one.name for one in first if one.default is not one.empty and one.name not in passed]
    if passed and others:
        raise UserError(
            f"{key}._target_: {title} is no {key}",
            f"a function or class that the program gives {', '.join(sorted(passed))}",
            f"one that would take them as its {', '.join(others)}",
            "write a function with these parameters that calls it",
        )
    return given


def _user_error_in(error: BaseException) -> UserError | None:
    """Return the UserError among the causes of Hydra's error, if there is one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__
    return cause
