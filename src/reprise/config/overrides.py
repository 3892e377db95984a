"""Overrides, `key=value`: read from a command line, and written for a recorded configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from reprise.config.files import CONF, Conf
from reprise.config.mistakes import Mistake

# What Hydra's grammar gives a meaning to where a key of a dict stands unquoted.
_SPECIAL = re.compile(r"([\\()\[\]{}:=, \t'\"])")


@dataclass(frozen=True)
class Setting:
    """One override.

    Args:
        text: As it was typed.
        key: Dotted key, or name of the group.
        kind: What it sets.
        forms: The override as Hydra is given it, once for each value that a sweep goes through.
        options: For a choice, the options it names, over all its values.
    """

    text: str
    key: str
    kind: Literal["choice", "value", "deletion", "hydra"]
    forms: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it was written, for a message."""
        return f"on the command line: {self.text}"


def parse(
    overrides: list[str], conf: Conf, *, multirun: bool
) -> tuple[list[Setting], list[Mistake]]:
    """Read the command line.

    Args:
        overrides: Words as typed.
        conf: Folder of the configuration files.
        multirun: Several values for one key are a sweep, and no mistake.
    """
    parser = OverridesParser.create()
    settings: list[Setting] = []
    mistakes: list[Mistake] = []
    for text in overrides:
        try:
            override = parser.parse_override(text)
            setting = _setting(text, override, conf)
        except (HydraException, ValueError, TypeError) as error:
            mistakes.append(_unreadable(text, error))
            continue
        if override.is_sweep_override() and not multirun:
            mistakes.append(_several(setting))
        settings.append(setting)
    return settings, mistakes


def _setting(text: str, override: Override, conf: Conf) -> Setting:
    key = override.key_or_group
    if not key:
        raise ValueError("it has no key")
    if override.is_hydra_override():
        return Setting(text, key, "hydra", (text,))
    if override.is_delete():
        return Setting(text, key, "deletion", (text,))
    name = key if override.package is None else f"{key}@{override.package}"
    values = _values(override, conf)
    if not values:
        raise ValueError("it stands for no value at all")
    if conf.is_group(key) and not isinstance(override.value(), dict):
        added = "" if key in conf.groups else "+"  # a group that config.yaml does not name
        # Hydra takes no null for a choice; to have none, it wants the group deleted.
        forms = tuple(f"~{name}" if v == "null" else f"{added}{name}={v}" for v in values)
        listed = [one.strip("'\" ") for value in values for one in value.strip("[]").split(",")]
        options = tuple(option for option in listed if option not in {"null", ""})
        return Setting(text, key, "choice", forms, options)
    # Forced: whether the key is known is found out here, for all of them at once.
    return Setting(text, key, "value", tuple(f"++{name}={value}" for value in values))


def _values(override: Override, conf: Conf) -> list[str]:
    """Every value that a sweep goes through (the two ends of a range), or the one as typed."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [str(value.start), str(value.end)]
    if isinstance(value, Glob):
        return value.filter(conf.options(override.key_or_group))
    if isinstance(value, RangeSweep):
        every = list(override.sweep_string_iterator())
        return every[:1] + every[1:][-1:]
    if override.is_sweep_override():
        return list(override.sweep_string_iterator())
    return [override.get_value_string()]


def _unreadable(text: str, error: Exception) -> Mistake:
    return Mistake(
        f"{text.partition('=')[0]}: cannot be read",
        f"on the command line: {text}",
        "KEY=VALUE, where a text with spaces or any of = , [ ] { } ( ) : stands in quotes",
        str(error).partition("\n")[0],
        "put double quotes around the value and single ones around all: 'KEY=\"VALUE\"'",
    )


def _several(setting: Setting) -> Mistake:
    return Mistake(
        f"{setting.key}: several values, but this is one run",
        setting.place,
        "one value",
        ", ".join(form.partition("=")[2] for form in setting.forms),
        "choose one"
        if setting.kind == "choice"
        else f"a list is written {setting.key}=[1,2]; a text with a comma stands in quotes",
    )


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
    files = Conf(conf)
    kept = {
        group: option
        for group, option in choices.items()
        if group not in {*typed, "experiment"} and files.find(f"{group}/{option}")
    }
    words = [f"{group}={option}" for group, option in kept.items()]
    for key, node in values.items():
        if key not in files.groups:
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
