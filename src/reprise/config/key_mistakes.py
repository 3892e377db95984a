"""The words for a key that should not be there, or is not there."""

from typing import Any

from reprise.config.context import Context
from reprise.config.mistakes import Mistake, listing, meant, nearest, shown
from reprise.config.sections import RESERVED, Section
from reprise.config.sources import NoSuchTarget
from reprise.config.wording import words


def bad_target(section: Section, error: NoSuchTarget, context: Context) -> Mistake:
    """A `_target_` that leads nowhere."""
    key = section.dotted("_target_")
    target = str(section.node["_target_"])
    likely = meant(target, error.names)
    return Mistake(
        f"{key}: there is no {target}",
        context.origins.place(key),
        error.expected,
        target,
        f"did you mean {likely}?" if likely else "look for a misspelt part",
    )


def unknown(section: Section, name: str, value: Any, context: Context) -> Mistake:
    """A key that nothing takes."""
    key = section.dotted(name)
    setting = context.origins.setting(key)
    received = shown(value)
    typed = key
    if setting and setting.key.startswith(key):  # the override may go on below the unknown key
        typed, received = setting.key, setting.forms[0].partition("=")[2]
    likely = nearest(typed, [*context.known, *context.groups])
    remedy = f"did you mean {likely}?" if likely else "leave it out"
    if "." in name:
        remedy = "a file has no dotted keys: write each step on a line of its own, indented"
    takes = listing(one for one in section.takes if one not in RESERVED)
    return Mistake(
        f"{typed}: no such key",
        context.origins.place(key),
        f"a key of {section.title}: {takes}",
        received,
        remedy,
    )


def given(section: Section, name: str, value: Any, context: Context) -> Mistake:
    """A key that only the program may give."""
    key = section.dotted(name)
    return Mistake(
        f"{key}: the program gives this one itself",
        context.origins.place(key),
        "no value here",
        shown(value),
        f"did you mean {name}?" if name in context.known else "leave it out",
    )


def unset(key: str, context: Context) -> Mistake:
    """A key that is there and has no value."""
    return Mistake(
        f"{key}: has no value",
        context.origins.place(key),
        "a value, or a reference to a key that has one",
        context.unset[key],
        f"set it: {key}=VALUE",
    )


def lacking(section: Section, name: str, context: Context) -> Mistake:
    """A parameter without a default that is not configured."""
    key = section.dotted(name)
    annotation = section.signature.annotations[name] if section.signature else Any
    return Mistake(
        f"{key}: is not set",
        context.origins.place(section.dotted("_target_")),
        f"{words(annotation)}; {section.title} has no default for it",
        "nothing",
        f"set it: {key}=VALUE",
    )
