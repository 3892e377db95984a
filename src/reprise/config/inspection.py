"""All mistakes in one composition: missing choices, keys, values, contradictions."""

from typing import Any

from reprise.config.choices import missing, primary_groups
from reprise.config.compose import plain
from reprise.config.context import Context
from reprise.config.files import Conf
from reprise.config.layers import Layers
from reprise.config.mistakes import Mistake, shown
from reprise.config.origins import Origins, find_origins
from reprise.config.overrides import Setting
from reprise.config.paths import Surroundings
from reprise.config.problems import problems
from reprise.config.rules import contradictions, look_up
from reprise.config.sections import known_keys, sections


def inspect(
    merged: Layers,
    settings: list[Setting],
    conf: Conf,
    surroundings: Surroundings,
    misnamed: set[str],
) -> tuple[dict[str, Any], list[Mistake]]:
    """Find every mistake in a composition.

    Args:
        merged: The composition.
        settings: The command line it came from.
        conf: Folder of the configuration files.
        surroundings: Decides whether paths exist.
        misnamed: Groups for which an option was chosen that does not exist; known already.

    Returns:
        The plain values, and the mistakes.
    """
    values, unset = plain(merged.config)
    groups = set(primary_groups(conf))
    without_choice = {group for group in groups if merged.choices.get(group) in {None, "???"}}
    lacking = [] if "experiment" in misnamed else missing(merged.choices, conf, misnamed)
    origins = find_origins(merged.files, settings, conf)
    found = [
        section
        for section in sections(values, groups, origins.own)
        if section.key.partition(".")[0] not in without_choice
    ]
    context = Context(origins, known_keys(found), frozenset(groups), unset, surroundings)
    mistakes: dict[str, Mistake] = {}
    for section in found:
        if not any(section.key == key or section.key.startswith(f"{key}.") for key in mistakes):
            mistakes.update(problems(section, context))
    is_debug = merged.choices.get("debug") is not None
    conflicts = contradictions(values, set(mistakes), is_debug=is_debug)
    clashes = [_clash(*conflict, values, origins) for conflict in conflicts]
    return values, [*lacking, *mistakes.values(), *clashes]


def _clash(
    keys: tuple[str, ...], wrong: str, right: str, values: dict[str, Any], origins: Origins
) -> Mistake:
    received = ", ".join(f"{key}: {shown(look_up(values, key))}" for key in keys)
    places = dict.fromkeys(origins.place(key) for key in keys)
    return Mistake(wrong, "; ".join(places), right, received, f"change {' or '.join(keys)}")
