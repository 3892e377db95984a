"""conf/ and overrides as plain values: Hydra composes here, and its own containers stop here."""

import json
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

from reprise.config.files import PRIMARY, Conf, unreadable
from reprise.config.mistakes import Mistake
from reprise.config.overrides import Setting

# OmegaConf lets a plain ValueError through where a name stands in the place of a list's index.
# Files that name each other in a circle end in a RecursionError.
_REFUSALS = (HydraException, OmegaConfBaseException, ValueError, RecursionError)

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Composed:
    """A whole configuration.

    Args:
        values: Plain nested values, references resolved.
        choices: Option chosen for each group, the experiment among them.
        overrides: The command line it came from.
    """

    values: dict[str, Any]
    choices: dict[str, str]
    overrides: list[str]

    @property
    def experiment(self) -> str:
        """The chosen experiment; the dataset's name where the parts were chosen by hand."""
        return self.choices.get("experiment", self.choices["dataset"])


@dataclass(frozen=True)
class Layers:
    """A composition, and where it comes from.

    Args:
        values: Plain nested values; None for what has no value.
        unset: Why it has none, for the dotted key of each of those: it is `???`, or its reference
            leads nowhere.
        choices: Option chosen for each group, in the order of config.yaml.
        files: The files merged, in that order, each with the dotted key it is put under.
    """

    values: dict[str, Any]
    unset: dict[str, str]
    choices: dict[str, str]
    files: list[tuple[Path, str]]


def merge(settings: list[Setting], conf: Conf) -> tuple[Layers | None, list[Mistake]]:
    """Compose what can be composed, and name every override that Hydra refuses.

    Args:
        settings: The overrides.
        conf: Folders of the configuration files.

    Returns:
        The composition without the refused overrides (None where the files themselves do not fit
        together), and the mistakes.

    Raises:
        UserError: a chosen file is no YAML, or has a key twice.
    """
    taken = [setting for setting in settings if setting.kind == "choice"]
    others = [setting for setting in settings if setting.kind != "choice"]
    try:
        return _layers(taken + others, conf), []
    except _REFUSALS:
        pass  # which one it was is found out below, one by one
    try:
        merged = _layers(taken, conf)
    except _REFUSALS as error:
        return None, [_unfit(error)]
    mistakes = []
    for setting in others:
        try:
            merged = _layers([*taken, setting], conf)
        except _REFUSALS as error:
            mistakes.append(_refused(setting, error))
        else:
            taken = [*taken, setting]
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


def _refused(setting: Setting, error: Exception) -> Mistake:
    there = "a key that is there" if setting.kind == "deletion" else "a value that fits its place"
    received = str(error).partition("\n")[0]
    return Mistake(
        f"{setting.key}: cannot be applied", setting.place, there, received, "change or drop it"
    )


def _unfit(error: Exception) -> Mistake:
    is_circle = isinstance(error, RecursionError)
    return Mistake(
        "the chosen files do not fit together",
        "conf/",
        "defaults lists that Hydra can compose",
        "files that choose each other in a circle" if is_circle else " ".join(str(error).split()),
        "mend the defaults list of a file that was chosen",
    )


def _plain(config: DictConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """Return plain values, and the reasons for those that are missing, by dotted key."""
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


def flatten(values: dict[str, Any]) -> dict[str, Scalar]:
    """Flatten nested values to one entry for each leaf.

    Args:
        values: Plain values, as those of `Composed`.

    Returns:
        The leaves by dotted key. Lists and empty dicts become compact JSON text.
    """
    leaves: dict[str, Scalar] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            leaves.update({f"{name}.{key}": leaf for key, leaf in flatten(value).items()})
        elif isinstance(value, dict | list):
            leaves[str(name)] = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        else:
            leaves[str(name)] = value
    return leaves
