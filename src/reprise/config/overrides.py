"""Overrides `key=value`: parsed from a command line, and written for a recorded configuration."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from reprise.config.files import CONF, Conf
from reprise.config.mistakes import Mistake

# What editors, chats and web pages put in the place of quotes, dashes and spaces, or add unseen.
_TYPESET = re.compile(
    "[\u00a0\u2000-\u200f\u2010-\u2015\u2018-\u201f\u202f\u2212\u3000\ufeff\uff01-\uff5e]"
)
# Characters with a meaning in Hydra's grammar, in the unquoted keys of a dict.
_SPECIAL = re.compile(r"([\\()\[\]{}:=, \t'\"])")


@dataclass(frozen=True)
class Setting:
    """One override.

    Args:
        text: The word as typed.
        key: Dotted key, or name of a group.
        kind: What it sets.
        form: The override as passed to Hydra.
        options: Names of the options, for a choice.
    """

    text: str
    key: str
    kind: Literal["choice", "value", "deletion"]
    form: str
    options: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it was written, for messages."""
        return f"on the command line: {self.text}"


def parse(overrides: list[str], conf: Conf) -> tuple[list[Setting], list[Mistake]]:
    """Parse overrides; return those with one value, and the mistakes in the others."""
    parser = OverridesParser.create()
    settings: list[Setting] = []
    mistakes: list[Mistake] = []
    for text in overrides:
        try:
            override = parser.parse_override(text)
            if override.is_hydra_override():
                mistakes.append(_of_hydra(text, override))
            elif override.is_sweep_override():
                mistakes.append(_several(text, override, conf))
            else:
                settings.append(_setting(text, override, conf))
        except (HydraException, ValueError, TypeError) as error:
            mistakes.append(_unreadable(text, error))
    chosen: dict[str, Setting] = {}
    for setting in settings:
        before = chosen.setdefault(setting.key, setting) if setting.kind == "choice" else setting
        if before.form != setting.form:
            mistakes.append(_twice(before, setting))
    return settings, mistakes


def _setting(text: str, override: Override, conf: Conf) -> Setting:
    key = override.key_or_group
    if not key:
        raise ValueError("it has no key")
    if override.is_delete():
        return Setting(text, key, "deletion", text)
    name = key if override.package is None else f"{key}@{override.package}"
    value = override.get_value_string()
    if not conf.is_group(key) or isinstance(override.value(), dict):
        # Forced by ++: whether there is such a key is found out for all of them at once.
        return Setting(text, key, "value", f"++{name}={value}")
    if value == "null":  # Hydra takes no null for a choice; to have none, the group is deleted
        return Setting(text, key, "choice", f"~{name}")
    added = "" if key in conf.groups else "+"  # a group that config.yaml does not name
    options = tuple(option.strip("'\" ") for option in value.strip("[]").split(","))
    return Setting(text, key, "choice", f"{added}{name}={value}", options)


def _unreadable(text: str, error: Exception) -> Mistake:
    key, _, value = text.partition("=")
    remedy = "put double quotes around the value and single ones around all: 'KEY=\"VALUE\"'"
    if odd := _TYPESET.search(text):
        name = unicodedata.name(odd[0], "unseen")
        remedy = (
            f"type a plain character, or none, for {odd[0]} (U+{ord(odd[0]):04X}, {name.lower()})"
        )
    elif text.startswith("-"):
        remedy = "leave the - out: there are no options, only KEY=VALUE"
    elif "=" not in text:
        remedy = f"give it a value: {text.replace(' ', '=', 1) if ' ' in text else text + '=VALUE'}"
    elif key != key.strip():
        remedy = f"leave the space out: {key.strip()}={value.strip()}"
    return Mistake(
        f"{key}: cannot be read",
        f"on the command line: {text}",
        "KEY=VALUE, where a text with spaces or any of = , [ ] { } ( ) : stands in quotes",
        str(error).partition("\n")[0],
        remedy,
    )


def _of_hydra(text: str, override: Override) -> Mistake:
    return Mistake(
        f"{override.key_or_group}: has no effect",
        f"on the command line: {text}",
        "keys of the configuration; it is composed as Hydra does, and run without Hydra",
        text,
        "leave it out; tracking.runs is where runs are kept, sweep= and launcher= make many",
    )


def _twice(before: Setting, setting: Setting) -> Mistake:
    return Mistake(
        f"{setting.key}: chosen twice",
        f"{before.place}, {setting.text}",
        "one option",
        f"{before.text} and {setting.text}",
        "choose one",
    )


def _several(text: str, override: Override, conf: Conf) -> Mistake:
    key = override.key_or_group
    return Mistake(
        f"{key}: several values, but this is one run",
        f"on the command line: {text}",
        "one value",
        override.get_value_string(),
        "choose one"
        if conf.is_group(key)
        else f"a list is written {key}=[1,2], a fraction 0.5; a text with a comma stands in quotes",
    )


def restate(
    values: Mapping[str, Any], choices: Mapping[str, str], changes: list[str], conf: Path = CONF
) -> list[str]:
    """Return overrides that compose a recorded configuration again, with changes.

    Args:
        values: Recorded configuration.
        choices: Chosen option of each group. The experiment is left out: the values include what
            its file sets.
        changes: Further overrides, which take precedence. If one chooses an option for a group,
            the recorded values of that group are dropped; with `debug=…`, of the keys that it sets.
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
    debug = next((change for change in changes if change.lstrip("+").startswith("debug=")), "")
    file = files.find(debug.lstrip("+").replace("=", "/", 1)) if debug else None
    shrunk = yaml.safe_load(file.read_text("utf-8")) if file else {}
    for key, node in values.items():
        if key not in files.groups:
            words.append(f"{key}={quoted(node)}")
        elif key not in typed:
            dropped = {"_target_", *(shrunk.get(key) or ())}
            words += [
                f"{key}.{name}={quoted(v)}" for name, v in node.items() if name not in dropped
            ]
    return [*words, *changes]


def quoted(value: Any) -> str:
    """Write a plain value in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        entries = (_SPECIAL.sub(r"\\\1", str(key)) + ":" + quoted(v) for key, v in value.items())
        return "{" + ",".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(quoted, value)) + "]"
    if isinstance(value, str):
        # A backslash escapes only before a quote or the end; ${ would begin a reference.
        text = re.sub(r"(\\*)(?='|$)", lambda found: found[1] * 2, value).replace("'", "\\'")
        return "'" + text.replace("${", "\\${") + "'"
    return repr(value)
