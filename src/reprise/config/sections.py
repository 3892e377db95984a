"""The parts of a composed configuration that have keys, and the keys each of them takes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reprise.config.signatures import Signature, read_signature
from reprise.config.sources import NoSuchTarget

SETTINGS = "reprise.config.settings.Settings"
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
        signature: What the target takes; None where it has no target, or an unreadable one.
        names: Every name it takes beside those of the signature.
        is_open: It may take names that are not known here.
    """

    key: str
    node: dict[str, Any]
    title: str
    signature: Signature | None
    names: frozenset[str]
    is_open: bool

    def dotted(self, name: str) -> str:
        """The dotted key of one of its names."""
        return f"{self.key}.{name}" if self.key else name

    @property
    def takes(self) -> list[str]:
        """Names that may be written, in the order of the signature."""
        own = list(self.signature.annotations) if self.signature else []
        return [name for name in own if name not in self.live] + sorted(self.names - set(own))

    @property
    def live(self) -> frozenset[str]:
        """Names that only the program may give."""
        return LIVE.get(self.key, frozenset())


def sections(values: dict[str, Any], groups: set[str], own: frozenset[str]) -> Iterator[Section]:
    """Walk the configuration from the outside in.

    Args:
        values: Plain values.
        groups: Groups that conf/config.yaml names.
        own: As `Origins.own`.

    Yields:
        Sections. What stands in an argument of a target is data, and none, except for nodes that
        have a `_target_` themselves.
    """
    names = groups | _names_below("", own)
    title = "conf/config.yaml"
    yield Section("", values, title, read_signature(SETTINGS), frozenset(names), is_open=False)
    for name, value in values.items():
        yield from _below(value, str(name), own, in_target=False)


def _below(value: Any, key: str, own: frozenset[str], *, in_target: bool) -> Iterator[Section]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _below(item, f"{key}.{index}", own, in_target=True)
    if not isinstance(value, dict):
        return
    has_target = "_target_" in value
    if has_target:
        yield _of_target(value, key)
    elif not in_target:
        names = frozenset(_names_below(key, own))
        yield Section(key, value, f"'{key}'", None, names, is_open=False)
    for name, item in value.items():
        yield from _below(item, f"{key}.{name}", own, in_target=in_target or has_target)


def _of_target(node: dict[str, Any], key: str) -> Section:
    target = str(node["_target_"])
    try:
        signature = read_signature(target)
    except NoSuchTarget:
        signature = None
    is_open = signature is None or signature.is_open
    return Section(key, node, target, signature, RESERVED, is_open)


def _names_below(key: str, own: frozenset[str]) -> set[str]:
    prefix = f"{key}." if key else ""
    inside = (other.removeprefix(prefix) for other in own if other.startswith(prefix))
    return {other.partition(".")[0] for other in inside if other}


def known_keys(found: list[Section]) -> list[str]:
    """Every dotted key that the sections take."""
    names = ((s, name) for s in found for name in s.takes if name not in RESERVED)
    return [section.dotted(name) for section, name in names]
