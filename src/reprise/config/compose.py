"""conf/ and the command line as plain values: Hydra's own containers stop here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig
from omegaconf.errors import OmegaConfBaseException

from reprise.config.choices import primary_groups
from reprise.config.files import CONF, Conf
from reprise.config.layers import merge
from reprise.config.mistakes import Mistake, as_error
from reprise.config.overrides import parse


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


def compose(overrides: list[str], conf: Path = CONF) -> Composed:
    """Compose a configuration without looking at what the code takes; `check` does that too.

    Args:
        overrides: The command line's `key=value` words.
        conf: The project's conf/.

    Raises:
        UserError: an override cannot be read, or the chosen files do not fit together, or a
            key has no value.
    """
    folders = Conf(conf)
    settings, mistakes = parse(overrides, folders, set(primary_groups(folders)), multirun=False)
    merged, refused = merge(settings, folders)
    if merged is None or mistakes or refused:
        raise as_error([*mistakes, *refused], overrides)
    values, unset = plain(merged.config)
    if unset:
        raise as_error([_unset(key, reason) for key, reason in unset.items()], overrides)
    return Composed(values, chosen(merged.choices), overrides)


def chosen(choices: dict[str, Any]) -> dict[str, str]:
    """Keep the groups for which something is chosen, in the order of conf/config.yaml."""
    in_order = reversed(choices.items())  # Hydra's is the other way round
    return {group: str(option) for group, option in in_order if option not in {None, "???"}}


def _unset(key: str, reason: str) -> Mistake:
    remedy = f"set it: {key}=VALUE"
    return Mistake(f"{key}: has no value", "in the composition", "a value", reason, remedy)


def plain(config: DictConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """Turn a configuration into plain values.

    Returns:
        The values, and for each dotted key without one (its reference leads nowhere, or it is
        `???`) the reason; such a key is None in the values.
    """
    reasons: dict[str, str] = {}

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
            reasons[dotted] = str(error).partition("\n")[0]
            return None

    return walk(config, ""), reasons
