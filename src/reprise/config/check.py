"""Every mistake in a configuration, found before anything heavy is imported, and all at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from reprise.config.choices import examine, primary_groups
from reprise.config.compose import Composed, chosen
from reprise.config.files import CONF, Conf
from reprise.config.inspection import inspect
from reprise.config.layers import merge
from reprise.config.mistakes import Mistake, as_error
from reprise.config.overrides import Setting, parse
from reprise.config.paths import Surroundings


def _never(path: Path) -> bool:
    return False


def check(
    overrides: list[str],
    conf: Path = CONF,
    providable: Callable[[Path], bool] = _never,
    *,
    multirun: bool = False,
) -> Composed:
    """Compose a configuration and hold it against what the code takes.

    Args:
        overrides: The command line's `key=value` words.
        conf: The project's conf/; relative paths start from the folder it is in.
        providable: Tells of a path that is missing whether the program can make it.
        multirun: Several values for a key are a sweep. Each of them is checked, one at a time,
            with the first one of every other key.

    Returns:
        The composition; of a sweep, the one with the first values.

    Raises:
        UserError: there are mistakes; the message lists every one of them.
    """
    composed, mistakes = _look(overrides, Conf(conf), providable, multirun=multirun)
    if mistakes:
        raise as_error(mistakes, overrides)
    return composed[0]


def _look(
    overrides: list[str], conf: Conf, providable: Callable[[Path], bool], *, multirun: bool
) -> tuple[list[Composed], list[Mistake]]:
    """Every composition that a command line stands for, and the mistakes in them."""
    groups = set(primary_groups(conf))
    surroundings = Surroundings(conf.root, providable)
    settings, mistakes = parse(overrides, conf, groups, multirun=multirun)
    misnamed, stand_ins = examine(settings, conf)
    mistakes += misnamed
    composed: list[Composed] = []
    for variant in _variants(_as_meant(settings, stand_ins, groups)):
        merged, refused = merge(variant, conf)
        if merged is not None or not misnamed:  # else it is the misnamed file that does not fit
            mistakes += refused
        if merged is not None:
            values, wrong = inspect(merged, variant, conf, surroundings, set(stand_ins))
            mistakes += wrong
            composed.append(Composed(values, chosen(merged.choices), overrides))
    return composed, mistakes


def check_each(
    jobs: Sequence[list[str]], conf: Path = CONF, providable: Callable[[Path], bool] = _never
) -> list[Composed]:
    """Compose and check several command lines.

    Returns:
        Their compositions, in that order.

    Raises:
        UserError: there are mistakes; the message lists every one of them, each once.
    """
    folders = Conf(conf)
    found = [_look(overrides, folders, providable, multirun=False) for overrides in jobs]
    if mistakes := [mistake for _, wrong in found for mistake in wrong]:
        raise as_error(mistakes, list(dict.fromkeys(word for words in jobs for word in words)))
    return [composed[0] for composed, _ in found]


def _as_meant(
    settings: list[Setting], stand_ins: dict[str, str | None], groups: set[str]
) -> list[Setting]:
    """Put the option most likely meant, or none, in the place of one that does not exist."""
    kept = [s for s in settings if s.kind != "choice" or s.key not in stand_ins]
    chosen_instead = []
    for group, option in stand_ins.items():
        prefix = "" if group in groups else "+"
        form = f"{prefix}{group}={option}" if option else f"~{group}"
        chosen_instead.append(Setting(form, group, "choice", (form,)))
    return kept + chosen_instead


def _variants(settings: list[Setting]) -> Iterator[list[Setting]]:
    """The command line with the first value of every sweep, then with each other value in turn."""
    first = [replace(setting, forms=setting.forms[:1]) for setting in settings]
    yield first
    for at, setting in enumerate(settings):
        for form in setting.forms[1:]:
            yield [*first[:at], replace(setting, forms=(form,)), *first[at + 1 :]]
