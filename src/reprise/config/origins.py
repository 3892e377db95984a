"""Where the value of a key was written: on the command line, or in which line of a file."""

from pathlib import Path
from typing import Any

import yaml

from reprise.config.files import Conf, read_entries
from reprise.config.overrides import Setting


class Origins:
    """Places where the keys of a composition were written.

    Args:
        files: As `Layers.files`.
        settings: Overrides, in order.
        conf: Folders of configuration files.

    Attributes:
        own: Keys that config.yaml and the files of the chosen options define, without those of the
            experiment: it can change keys but not add any.
    """

    def __init__(self, files: list[tuple[Path, str]], settings: list[Setting], conf: Conf) -> None:
        self._settings = [setting for setting in settings if setting.kind == "value"]
        self._lines: list[tuple[str, dict[str, int]]] = []
        self.own: set[str] = set()
        for path, package in files:
            lines = key_lines(path, package)
            self._lines.append((conf.shown(path), lines))
            if package or path.stem == "config":
                self.own |= set(lines)

    def setting(self, key: str) -> Setting | None:
        """Return the last override of `key`, of a key inside it, or of one it is inside."""
        for setting in reversed(self._settings):
            ours, theirs = f"{key}.", f"{setting.key}."
            if ours.startswith(theirs) or theirs.startswith(ours):
                return setting
        return None

    def place(self, key: str) -> str:
        """Return the place of a key's value; for a missing key, that of the node it belongs to."""
        setting = self.setting(key)
        if setting is not None:
            return setting.place
        while key:
            for name, lines in reversed(self._lines):
                if key in lines:
                    return f"{name}, line {lines[key]}"
            key = key.rpartition(".")[0]
        return "conf/config.yaml"


def key_lines(path: Path, package: str) -> dict[str, int]:
    """Return the line number of each dotted key of a YAML file, below the key `package`."""
    found: dict[str, int] = {}

    def walk(items: list[tuple[Any, yaml.Node, yaml.Node]], key: str) -> None:
        for name, marked, value in items:
            dotted = f"{key}.{name}" if key else str(name)
            found[dotted] = marked.start_mark.line + 1
            if isinstance(value, yaml.MappingNode):
                walk([(name.value, name, inner) for name, inner in value.value], dotted)
            elif isinstance(value, yaml.SequenceNode):
                walk([(index, inner, inner) for index, inner in enumerate(value.value)], dotted)

    entries = read_entries(path)
    walk([(name.value, name, node) for name, node in entries if name.value != "defaults"], package)
    return found
