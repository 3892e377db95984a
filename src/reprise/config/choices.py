"""The option chosen for each group: does the group, does the option exist, is a choice missing?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reprise.config.files import Conf
from reprise.config.layers import PRIMARY
from reprise.config.mistakes import Mistake, listing, meant
from reprise.config.overrides import Setting
from reprise.config.yaml_nodes import read_entries


@dataclass(frozen=True)
class Choice:
    """One `group: option` of the command line or of a file's defaults list."""

    group: str
    option: str
    place: str


def primary_groups(conf: Conf) -> dict[str, Any]:
    """Groups that conf/config.yaml names, each with the option written there."""
    found = {}
    for entry in _defaults(conf.find(PRIMARY)):
        for name, option in entry.value if isinstance(entry, yaml.MappingNode) else []:
            group = _group(name.value, "")
            if not group.startswith("hydra/"):
                found[group] = None if option.tag.endswith(":null") else option.value
    return found


def examine(settings: list[Setting], conf: Conf) -> tuple[list[Mistake], dict[str, str | None]]:
    """Look for groups and options that do not exist, on the command line and in chosen files.

    Returns:
        The mistakes, and for each group concerned the option most likely meant (None where there
        is no such), so that the rest can be checked as if it had been chosen.
    """
    mistakes: list[Mistake] = []
    stand_ins: dict[str, str | None] = {}
    choices = [Choice(s.key, option, s.place) for s in settings for option in s.options]
    choices += _choices_in(PRIMARY, "", conf)
    for choice in choices:  # grows while it is walked
        options = conf.options(choice.group)
        option: str | None = choice.option
        if choice.option not in options:
            option = stand_ins[choice.group] = meant(choice.option, options)
            mistakes.append(_no_option(choice, options, option, conf))
        if option is not None:
            inner = _choices_in(f"{choice.group}/{option}", choice.group, conf)
            choices += [c for c in inner if c not in choices]
    return mistakes, stand_ins


def missing(chosen: dict[str, Any], conf: Conf, known: set[str]) -> list[Mistake]:
    """Name the groups that need a choice and have none.

    Args:
        chosen: As `Layers.choices`.
        conf: Folder of the configuration files.
        known: Groups of which it is known already.
    """
    groups = primary_groups(conf)
    needed = [
        group for group, option in groups.items() if option is not None and group not in known
    ]
    lacking = [group for group in needed if chosen.get(group) in {None, "???"}]
    experiments = conf.options("experiment")
    if lacking and experiments and chosen.get("experiment") is None:
        return [
            Mistake(
                "no experiment is chosen",
                "on the command line",
                f"experiment=NAME, one of: {listing(experiments)}",
                f"none, and so nothing for {listing(lacking)}",
                f"add experiment={experiments[0]} (with make: exp={experiments[0]})",
            )
        ]
    return [
        Mistake(
            f"{group}: no choice is made",
            "conf/config.yaml",
            f"{group}=NAME, one of: {listing(conf.options(group))}",
            "none",
            f"choose one on the command line, or by 'override /{group}: NAME' in the experiment",
        )
        for group in lacking
    ]


def _defaults(path: Path | None) -> list[yaml.Node]:
    if path is None:
        return []
    lists = [value for name, value in read_entries(path) if name.value == "defaults"]
    return [entry for entries in lists for entry in entries.value]


def _choices_in(name: str, group: str, conf: Conf) -> Iterator[Choice]:
    """List the choices that one file's own defaults list makes."""
    path = conf.find(name)
    for entry in _defaults(path):
        place = f"{conf.shown(path) if path else ''}, line {entry.start_mark.line + 1}"
        if isinstance(entry, yaml.ScalarNode) and entry.value != "_self_":
            yield Choice(group, entry.value, place)
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else []:
            options = value.value if isinstance(value, yaml.SequenceNode) else [value]
            inner = _group(key.value, group)
            for option in options:
                if option.tag.endswith(":str") and option.value != "???" and "hydra/" not in inner:
                    yield Choice(inner, option.value, place)


def _group(name: str, parent: str) -> str:
    """Group named by an entry's key: `override /model@net` in experiment/ is 'model'."""
    group = name.split(" ")[-1].partition("@")[0]
    return group.lstrip("/") if group.startswith("/") or not parent else f"{parent}/{group}"


def _no_option(choice: Choice, options: list[str], likely: str | None, conf: Conf) -> Mistake:
    if options:
        return Mistake(
            f"{choice.group}: there is no '{choice.option}'",
            choice.place,
            f"one of: {listing(options)}",
            choice.option,
            f"did you mean {likely}?" if likely else f"see the files in conf/{choice.group}/",
        )
    groups = conf.groups()
    likely_group = meant(choice.group, groups)
    return Mistake(
        f"there is no group '{choice.group}'",
        choice.place,
        f"one of: {listing(groups)}",
        choice.group,
        f"did you mean {likely_group}?" if likely_group else "a group is a folder of conf/",
    )
