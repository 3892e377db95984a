"""A recorded configuration said again as overrides, so that it is checked as any other."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprise.config.choices import primary_groups
from reprise.config.files import CONF, Conf

# What Hydra's grammar gives a meaning to where a key of a dict stands unquoted.
_SPECIAL = re.compile(r"([\\()\[\]{}:=, \t'\"])")


def restate(
    values: Mapping[str, Any], choices: Mapping[str, str], changes: list[str], conf: Path = CONF
) -> list[str]:
    """Overrides that compose a recorded configuration, and changes to it.

    Args:
        values: The recorded configuration.
        choices: The option it was made with, for each group. The experiment is left out: what its
            file said is in the values.
        changes: Further overrides as typed; they win. Where one chooses another option for a
            group, nothing that was recorded for that group is kept.
        conf: The project's conf/.
    """
    typed = {change.partition("=")[0].lstrip("+~") for change in changes}
    folders = Conf(conf)
    groups = set(primary_groups(folders))
    kept = {
        group: option
        for group, option in choices.items()
        if group not in {*typed, "experiment"} and folders.find(f"{group}/{option}")
    }
    words = [f"{group}={option}" for group, option in kept.items()]
    for key, node in values.items():
        if key not in groups:
            words.append(f"{key}={_said(node)}")
        elif key not in typed:
            words += [f"{key}.{name}={_said(v)}" for name, v in node.items() if name != "_target_"]
    return [*words, *changes]


def _said(value: Any) -> str:
    """A plain value in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        entries = (_SPECIAL.sub(r"\\\1", str(key)) + ":" + _said(v) for key, v in value.items())
        return "{" + ",".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_said, value)) + "]"
    if isinstance(value, str):
        # A backslash counts only before the quote that ends the text; ${ would be a reference.
        text = re.sub(r"(\\*)(?='|$)", lambda found: found[1] * 2, value).replace("'", "\\'")
        return "'" + text.replace("${", "\\${") + "'"
    return repr(value)
