"""What Hydra makes of conf/ and a command line: the only file that asks Hydra to compose."""

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
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from reprise.config.files import Conf
from reprise.config.mistakes import Mistake
from reprise.config.overrides import Setting
from reprise.config.yaml_nodes import unreadable

PRIMARY = "config"
# OmegaConf lets a plain ValueError through where a name stands in the place of a list's index.
# Files that name each other in a circle end in a RecursionError.
_REFUSALS = (HydraException, OmegaConfBaseException, ValueError, RecursionError)


@dataclass(frozen=True)
class Layers:
    """A composition, before references in it are resolved.

    Args:
        config: The merged values.
        choices: Option chosen for each group; None where it was chosen to have none.
        files: The files merged, in that order, each with the dotted key it is put under.
    """

    config: DictConfig
    choices: dict[str, Any]
    files: list[tuple[Path, str]]


def merge(settings: list[Setting], conf: Conf) -> tuple[Layers | None, list[Mistake]]:
    """Compose what can be composed, and name every override that Hydra refuses.

    Args:
        settings: The command line; of a sweep, its first values.
        conf: Folder of the configuration files.

    Returns:
        The composition without the refused overrides (None where the files themselves do not fit
        together), and the mistakes.

    Raises:
        UserError: a chosen file is no YAML, or has a key twice.
    """
    choices = [setting for setting in settings if setting.kind == "choice"]
    others = [setting for setting in settings if setting.kind != "choice"]
    try:
        return _layers(choices + others, conf), []
    except _REFUSALS:
        pass  # which one it was is found out below, one by one
    try:
        merged = _layers(choices, conf)
    except _REFUSALS as error:
        return None, [_unfit(error)]
    taken = choices
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
    forms = [setting.forms[0] for setting in settings]
    loader = _loader(conf)
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
    return Layers(
        merged,
        {str(group): option for group, option in choices.items() if "hydra/" not in str(group)},
        [
            (file, default.package or "")
            for default in listed
            if default.config_path and (file := conf.find(default.config_path))
        ],
    )


def _loader(conf: Conf) -> ConfigLoaderImpl:
    """Return Hydra's loader, which looks into the folders one after the other.

    `hydra.initialize` would take one folder, and `hydra.searchpath` a second one only where the
    first has the primary config.
    """
    version.setbase("1.3")
    setup_globals()
    path = create_config_search_path(str(conf.folders[-1]))
    for folder in conf.folders[:-1]:
        path.prepend("project", f"file://{folder}", anchor="main")
    return ConfigLoaderImpl(path)


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
