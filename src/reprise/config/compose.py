"""Composition by Hydra: plain values from files and overrides, and where each was written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from reprise.config.files import PRIMARY, Conf, read_entries, unreadable
from reprise.config.mistakes import Mistake
from reprise.config.overrides import Setting

# OmegaConf lets a plain ValueError through where a name stands in the place of a list's index.
# Files that name each other in a circle end in a RecursionError.
_REFUSALS = (HydraException, OmegaConfBaseException, ValueError, RecursionError)

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Composed:
    """A checked configuration.

    Args:
        values: Plain nested values, with references resolved.
        choices: Chosen option of each group, including the experiment.
        overrides: Words of the command line.
    """

    values: dict[str, Any]
    choices: dict[str, str]
    overrides: list[str]

    @property
    def experiment(self) -> str:
        """Name of the experiment; that of the dataset if no experiment was chosen."""
        return self.choices.get("experiment", self.choices["dataset"])


@dataclass(frozen=True)
class Layers:
    """A composition that is not checked yet.

    Args:
        values: Plain nested values; None for a key without a value.
        unset: Dotted keys without a value, each with the reason: it is `???`, or its reference
            leads nowhere.
        choices: Chosen option of each group, in the order of config.yaml.
        files: Merged files, in order, each with the dotted key that its keys are put under.
    """

    values: dict[str, Any]
    unset: dict[str, str]
    choices: dict[str, str]
    files: list[tuple[Path, str]]


def merge(settings: list[Setting], conf: Conf) -> tuple[Layers | None, list[Mistake]]:
    """Compose the files and overrides, without the overrides that Hydra refuses.

    Returns:
        The composition (None if the files themselves do not fit together), and the mistakes.

    Raises:
        UserError: a chosen file is no YAML, or has a key twice.
    """
    taken = [setting for setting in settings if setting.kind == "choice"]
    others = [setting for setting in settings if setting.kind != "choice"]
    try:
        return _layers(taken + others, conf), []
    except _REFUSALS:
        pass  # below, one override is added at a time to find those that are refused
    try:
        merged = _layers(taken, conf)
    except _REFUSALS as error:
        is_circle = isinstance(error, RecursionError)
        circle = "files that choose each other in a circle"
        unfit = Mistake(
            "the chosen files do not fit together",
            "conf/",
            "defaults lists that Hydra can compose",
            circle if is_circle else " ".join(str(error).split()) or "a ${ that is not closed",
            "mend the defaults list of a file that was chosen",
        )
        return None, [unfit]
    mistakes = []
    for setting in others:
        try:
            merged = _layers([*taken, setting], conf)
            taken.append(setting)
        except _REFUSALS as error:
            is_deletion = setting.kind == "deletion"
            refused = Mistake(
                f"{setting.key}: cannot be applied",
                setting.place,
                "a key that is there" if is_deletion else "a value that fits its place",
                str(error).partition("\n")[0],
                "change or drop it",
            )
            mistakes.append(refused)
    return merged, mistakes


def _layers(settings: list[Setting], conf: Conf) -> Layers:
    # hydra.initialize takes one folder, and hydra.searchpath another one only behind config.yaml.
    version.setbase("1.3")
    setup_globals()
    path = create_config_search_path(str(conf.folders[-1]))
    for folder in conf.folders[:-1]:
        path.prepend("project", f"file://{folder}", anchor="main")
    loader = ConfigLoaderImpl(path)
    forms = [setting.form for setting in settings]
    # In this mode Hydra leaves a group without a choice out instead of stopping at the first.
    try:
        merged = loader.load_configuration(PRIMARY, forms, RunMode.MULTIRUN)
    except yaml.MarkedYAMLError as error:
        raise unreadable(error) from None
    listed = loader.compute_defaults_list(PRIMARY, forms, RunMode.MULTIRUN).defaults
    choices = OmegaConf.to_container(merged.hydra.runtime.choices)
    assert isinstance(choices, dict)
    OmegaConf.set_struct(merged, False)
    del merged["hydra"]
    values, unset = _plain(merged)
    return Layers(
        values,
        unset,
        {
            str(group): str(option)
            for group, option in reversed(choices.items())  # Hydra lists the last group first
            if option not in {None, "???"} and "hydra/" not in str(group)
        },
        [
            (file, default.package or "")
            for default in listed
            if default.config_path and (file := conf.find(default.config_path))
        ],
    )


def _plain(config: DictConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """Return plain values, and by dotted key the reason why one is missing."""
    unset: dict[str, str] = {}

    def walk(node: Any, key: str) -> Any:
        if isinstance(node, DictConfig):
            return {name: child(node, name, key) for name in node}
        if isinstance(node, ListConfig):
            return [child(node, index, key) for index in range(len(node))]
        return node

    def child(node: Any, name: Any, key: str) -> Any:
        dotted = f"{key}.{name}" if key else str(name)
        try:
            return walk(node[name], dotted)
        except OmegaConfBaseException as error:
            unset[dotted] = str(error).partition("\n")[0]
            return None

    return walk(config, ""), unset


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


def flatten(values: dict[str, Any]) -> dict[str, Scalar]:
    """Return the leaves of nested values by dotted key; lists and empty dicts as JSON text."""
    leaves: dict[str, Scalar] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            leaves.update({f"{name}.{key}": leaf for key, leaf in flatten(value).items()})
        elif isinstance(value, dict | list):
            leaves[str(name)] = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        else:
            leaves[str(name)] = value
    return leaves


def differences(before: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> list[str]:
    """Every key whose value is not what it was, `key: before -> now`; None for a missing key."""
    return [
        f"{key}: {before.get(key)} -> {now.get(key)}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]
