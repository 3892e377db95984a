"""The parts of a configuration that have keys, and the mistakes in each of them."""

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from reprise.config.annotations import Refusal, Surroundings, choices_in, refusals, words
from reprise.config.mistakes import Mistake, listing, meant, nearest, shown
from reprise.config.origins import Origins
from reprise.config.signatures import NoSuchTarget, Signature, read_signature

# Keys of config.yaml itself. Weights, batch order and random transforms follow from the seed.
SETTINGS = Signature({"seed": Annotated[int, Interval(ge=0, lt=2**32)]}, frozenset())
RESERVED = frozenset({"_target_", "_partial_", "_convert_", "_recursive_", "_args_"})
# What the program itself gives to a group's target when it builds it.
LIVE: dict[str, frozenset[str]] = {
    "loader": frozenset({"dataset", "indices", "split", "seed"}),
    "model": frozenset({"input_spec", "target_spec"}),
    "objective": frozenset({"target_spec"}),
    "optimizer": frozenset({"total_steps"}),
}


@dataclass(frozen=True)
class Section:
    """A node of the configuration that has keys.

    Args:
        key: Dotted key; '' for the whole.
        node: Its content.
        title: What takes the keys, for messages.
        takes: Names that may be written, each with its type.
        required: Those of them that must be.
        live: Names that only the program may give.
        is_open: Whether it may take other names, too.
        error: Why its `_target_` is none.
    """

    key: str
    node: dict[str, Any]
    title: str
    takes: dict[str, Any]
    required: frozenset[str] = frozenset()
    live: frozenset[str] = frozenset()
    is_open: bool = False
    error: NoSuchTarget | None = None

    def dotted(self, name: str) -> str:
        """Return the dotted key of one of its names."""
        return f"{self.key}.{name}" if self.key else name


def sections(values: dict[str, Any], groups: Iterable[str], own: Set[str]) -> Iterator[Section]:
    """Walk a configuration from the outside in.

    Args:
        values: Plain values.
        groups: Groups that config.yaml names.
        own: As `Origins.own`.

    Yields:
        Sections. What stands in an argument of a target is data, and none, except for nodes that
        have a `_target_` themselves.
    """
    others = sorted({*groups, *_names_below("", own)} - set(SETTINGS.annotations))
    takes = {**SETTINGS.annotations, **dict.fromkeys(others, Any)}
    yield Section("", values, "conf/config.yaml", takes)
    for name, value in values.items():
        yield from _below(value, str(name), own, in_target=False)


def _below(value: Any, key: str, own: Set[str], *, in_target: bool) -> Iterator[Section]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _below(item, f"{key}.{index}", own, in_target=True)
    if not isinstance(value, dict):
        return
    if "_target_" in value:
        yield _of_target(value, key)
        in_target = True
    elif not in_target:
        yield Section(key, value, f"'{key}'", dict.fromkeys(_names_below(key, own), Any))
    for name, item in value.items():
        yield from _below(item, f"{key}.{name}", own, in_target=in_target)


def _of_target(node: dict[str, Any], key: str) -> Section:
    target = str(node["_target_"])
    try:
        signature = read_signature(target)
    except NoSuchTarget as error:
        return Section(key, node, target, {}, is_open=True, error=error)
    if signature is None:
        return Section(key, node, target, {}, is_open=True)
    live = LIVE.get(key, frozenset())
    takes = {name: kind for name, kind in signature.annotations.items() if name not in live}
    is_partial = bool({"_partial_", "_args_"} & set(node))
    required = frozenset() if is_partial else signature.required - live
    return Section(key, node, target, takes, required, live, signature.is_open)


def _names_below(key: str, own: Set[str]) -> list[str]:
    prefix = f"{key}." if key else ""
    inside = (other.removeprefix(prefix) for other in own if other.startswith(prefix))
    return sorted({other.partition(".")[0] for other in inside if other})


@dataclass(frozen=True)
class Context:
    """What is known of the whole configuration while one section is looked at.

    Args:
        origins: Where each key was written.
        known: Every dotted key that some section takes.
        groups: Groups that config.yaml names.
        unset: Dotted keys without a value, with the reason.
        surroundings: Decides whether paths exist.
    """

    origins: Origins
    known: list[str]
    groups: list[str]
    unset: dict[str, str]
    surroundings: Surroundings

    def mistake(self, key: str, wrong: str, expected: str, received: str, remedy: str) -> Mistake:
        """Return the mistake of one key."""
        return Mistake(f"{key}: {wrong}", self.origins.place(key), expected, received, remedy)


def problems(section: Section, context: Context) -> Iterator[tuple[str, Mistake]]:
    """Find the mistakes of one section, each with the dotted key it is about."""
    target = section.dotted("_target_")
    if section.error:
        likely = meant(section.title, section.error.names)
        remedy = f"did you mean {likely}?" if likely else "look for a misspelt part"
        wrong, expected = f"there is no {section.title}", section.error.expected
        yield target, context.mistake(target, wrong, expected, section.title, remedy)
        return
    for name, value in section.node.items():
        if not (name in RESERVED and "_target_" in section.node):
            yield from _of_key(section, str(name), value, context)
    for name in sorted(section.required - set(section.node)):
        key = section.dotted(name)
        place = context.origins.place(target)
        expected = f"{words(section.takes[name])}; {section.title} has no default for it"
        yield key, Mistake(f"{key}: is not set", place, expected, "nothing", _set(key))


def _of_key(
    section: Section, name: str, value: Any, context: Context
) -> Iterator[tuple[str, Mistake]]:
    key = section.dotted(name)
    unset = [one for one in context.unset if one == key or one.startswith(f"{key}.")]
    if name in section.live:
        wrong = "the program gives this one itself"
        remedy = f"did you mean {name}?" if name in context.known else "leave it out"
        yield key, context.mistake(key, wrong, "no value here", shown(value), remedy)
    elif name not in section.takes:
        if not section.is_open:
            yield key, _unknown(section, name, value, context)
    elif _has_target(value):
        return  # a section, or a list of them
    elif unset:
        expected = "a value, or a reference to a key that has one"
        for one in unset:
            reason = context.unset[one]
            yield one, context.mistake(one, "has no value", expected, reason, _set(one))
    elif section.key == "" and name in context.groups:
        if not isinstance(value, dict):
            remedy = "write its keys below it, indented"
            yield key, _wrong(key, value, "the keys of a group", remedy, context)
    else:
        yield from _of_value(key, value, section.takes[name], context)


def _unknown(section: Section, name: str, value: Any, context: Context) -> Mistake:
    key = section.dotted(name)
    setting = context.origins.setting(key)
    typed, received = key, shown(value)
    if setting and setting.key.startswith(key):  # the override may go on below the unknown key
        typed, received = setting.key, setting.forms[0].partition("=")[2]
    likely = nearest(typed, [*context.known, *context.groups])
    remedy = f"did you mean {likely}?" if likely else "leave it out"
    if "." in name:
        remedy = "a file has no dotted keys: write each step on a line of its own, indented"
    expected = f"a key of {section.title}: {listing(section.takes)}"
    place = context.origins.place(key)
    return Mistake(f"{typed}: no such key", place, expected, received, remedy)


def _of_value(
    key: str, value: Any, annotation: Any, context: Context
) -> Iterator[tuple[str, Mistake]]:
    for refusal in refusals(value, annotation, context.surroundings):
        if refusal.path is not None:
            dotted = ".".join([key, *refusal.within])
            yield dotted, _no_path(dotted, refusal, words(annotation), context)
            continue
        likely = meant(value, choices_in(annotation)) if isinstance(value, str) else None
        remedy = f"did you mean {likely}?" if likely else f"change {key}"
        if value is None:
            remedy = f"give {key} a value; null is none here"
        elif not likely and re.fullmatch(r"[+-]*\d*\.?\d+", str(value)) and isinstance(value, str):
            remedy = "write the number without quotes"
        yield key, _wrong(key, value, words(annotation), remedy, context)


def _wrong(key: str, value: Any, expected: str, remedy: str, context: Context) -> Mistake:
    text = shown(value)
    return context.mistake(key, f"cannot be {text}", expected, text, remedy)


def _no_path(key: str, refusal: Refusal, expected: str, context: Context) -> Mistake:
    given, root = Path(str(refusal.path)), context.surroundings.root
    path = root / given
    likely = None
    if not path.exists() and path.parent.is_dir():
        likely = meant(path.name, [other.name for other in path.parent.iterdir()])
    received = f"{'something else' if path.exists() else 'nothing'} of that name"
    if not given.is_absolute():
        received += f" (it starts from {root})"
    remedy = f"give the path of a {refusal.kind} that exists"
    if likely:
        remedy = f"did you mean {given.with_name(likely)}?"
    return context.mistake(key, f"no such {refusal.kind}: {given}", expected, received, remedy)


def _set(key: str) -> str:
    return f"set it: {key}=VALUE"


def _has_target(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(_has_target(item) for item in value.values())
    return isinstance(value, list) and any(_has_target(item) for item in value)
