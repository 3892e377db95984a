"""Where a key's value was written: on the command line, or in which line of which file."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from reprise.config.files import Conf
from reprise.config.overrides import Setting
from reprise.config.yaml_nodes import read_entries


@dataclass(frozen=True)
class Origins:
    """The places of one composition's keys.

    Args:
        lines: For each file, in the order merged, its name for messages and its keys' lines.
        settings: The command line's overrides, in order.
        own: Keys that conf/config.yaml and the chosen groups' own files define. An experiment's
            are not among them: it may change a key, and never invent one.
    """

    lines: list[tuple[str, dict[str, int]]]
    settings: list[Setting]
    own: frozenset[str]

    def setting(self, key: str) -> Setting | None:
        """The last override that set `key`, something within it, or something around it."""
        near = [s for s in self.settings if s.kind == "value" and _touch(s.key, key)]
        return near[-1] if near else None

    def place(self, key: str) -> str:
        """Say where `key` got its value; for a missing key, where what it belongs to stands."""
        setting = self.setting(key)
        if setting is not None:
            return setting.place
        while key:
            for name, lines in reversed(self.lines):
                if key in lines:
                    return f"{name}, line {lines[key]}"
            key = key.rpartition(".")[0]
        return "conf/config.yaml"


def _touch(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def find_origins(files: list[tuple[Path, str]], settings: list[Setting], conf: Conf) -> Origins:
    """Read the lines of every file of a composition.

    Args:
        files: As `Layers.files`.
        settings: The command line.
        conf: Folders of the configuration files.
    """
    lines = [(conf.shown(path), key_lines(path, package)) for path, package in files]
    own = [
        set(found)
        for (path, package), (_, found) in zip(files, lines, strict=True)
        if package or path.stem == "config"
    ]
    return Origins(lines, settings, frozenset(set().union(*own)))


def key_lines(path: Path, package: str) -> dict[str, int]:
    """Number the lines of a YAML file's keys, under their dotted names below `package`."""
    found: dict[str, int] = {}

    def walk(node: yaml.Node, key: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                found[f"{key}.{name.value}"] = name.start_mark.line + 1
                walk(value, f"{key}.{name.value}")
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                found[f"{key}.{index}"] = item.start_mark.line + 1
                walk(item, f"{key}.{index}")

    for name, value in read_entries(path):
        if name.value != "defaults":
            dotted = f"{package}.{name.value}" if package else name.value
            found[dotted] = name.start_mark.line + 1
            walk(value, dotted)
    return found
