"""What is wrong with one section: its target, the names of its keys, their values."""

from collections.abc import Iterator
from typing import Any

from reprise.config import key_mistakes
from reprise.config.context import Context
from reprise.config.mistakes import Mistake
from reprise.config.sections import RESERVED, Section
from reprise.config.signatures import read_signature
from reprise.config.sources import NoSuchTarget
from reprise.config.value_mistakes import of_value, wrong


def problems(section: Section, context: Context) -> Iterator[tuple[str, Mistake]]:
    """Find the mistakes of one section, each with the dotted key it is about."""
    try:
        read_signature(str(section.node.get("_target_", "builtins.dict")))
    except NoSuchTarget as error:
        yield section.dotted("_target_"), key_mistakes.bad_target(section, error, context)
        return
    for name, value in section.node.items():
        yield from _of_key(section, str(name), value, context)
    if section.signature and not {"_partial_", "_args_"} & set(section.node):
        for name in sorted(section.signature.required - section.live - set(section.node)):
            yield section.dotted(name), key_mistakes.lacking(section, name, context)


def _of_key(
    section: Section, name: str, value: Any, context: Context
) -> Iterator[tuple[str, Mistake]]:
    key = section.dotted(name)
    unset = [one for one in context.unset if one == key or one.startswith(f"{key}.")]
    if name in section.live:
        yield key, key_mistakes.given(section, name, value, context)
    elif name not in section.takes and not section.is_open:
        yield key, key_mistakes.unknown(section, name, value, context)
    elif unset and not _has_target(value):
        for one in unset:
            yield one, key_mistakes.unset(one, context)
    elif section.key == "" and name in context.groups:
        if not isinstance(value, dict):
            remedy = "write its keys below it, indented"
            yield key, wrong(key, value, "the keys of a group", remedy, context)
    elif section.signature and name not in RESERVED and not _has_target(value):
        yield from of_value(key, value, section.signature.annotations.get(name, Any), context)


def _has_target(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(_has_target(item) for item in value.values())
    return isinstance(value, list) and any(_has_target(item) for item in value)
