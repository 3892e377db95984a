"""Compose configurations and find all their mistakes, before anything heavy is imported."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from reprise.config.compose import Composed, Layers, merge
from reprise.config.files import CONF, PRIMARY, Choice, Conf
from reprise.config.mistakes import Mistake, as_error, listing, nearest_name
from reprise.config.overrides import Setting, parse
from reprise.config.sections import find_mistakes


def check(
    overrides: list[str],
    conf: Path = CONF,
    providable: Callable[[Path], bool] = lambda path: False,
) -> Composed:
    """Compose a configuration and compare it with what the code accepts.

    Args:
        overrides: Words `key=value` of the command line.
        conf: The project's conf/; relative paths start from the folder it is in.
        providable: Tells whether the program can make a path that is missing.

    Raises:
        UserError: there are mistakes; the message lists all of them.
    """
    return check_each([overrides], conf, providable)[0]


def check_each(
    jobs: Sequence[list[str]],
    conf: Path = CONF,
    providable: Callable[[Path], bool] = lambda path: False,
) -> list[Composed]:
    """Compose and check several command lines, as `check` does one.

    Raises:
        UserError: there are mistakes; the message lists all of them, each once.
    """
    folders = Conf(conf)
    compositions: list[Composed] = []
    mistakes: list[Mistake] = []
    for overrides in jobs:
        layers, wrong = _check_one(overrides, folders, providable)
        mistakes += wrong
        if layers is not None:
            compositions.append(Composed(layers.values, layers.choices, overrides))
    if mistakes:
        raise as_error(mistakes, list(dict.fromkeys(word for words in jobs for word in words)))
    return compositions


def _check_one(
    overrides: list[str], conf: Conf, providable: Callable[[Path], bool]
) -> tuple[Layers | None, list[Mistake]]:
    """Compose one command line as far as that is possible, and find its mistakes."""
    settings, mistakes = parse(overrides, conf)
    misnamed, instead = _examine_choices(settings, conf)
    settings = _as_meant(settings, instead, conf)
    layers, refused = merge(settings, conf)
    mistakes += misnamed
    if layers is not None or not misnamed:  # else it is the misnamed file that does not fit
        mistakes += refused
    if layers is not None:
        mistakes += _missing_choices(layers.choices, conf, instead)
        mistakes += find_mistakes(layers, settings, conf, providable)
    return layers, mistakes


def _examine_choices(
    settings: list[Setting], conf: Conf
) -> tuple[list[Mistake], dict[str, str | None]]:
    """Find groups and options that do not exist, on the command line and in chosen files.

    Returns:
        The mistakes, and for each of these groups the most similar option (None if there is none),
        so that the rest can be checked as if it had been chosen.
    """
    mistakes: list[Mistake] = []
    instead: dict[str, str | None] = {}
    choices = [Choice(one.key, option, one.place) for one in settings for option in one.options]
    choices += conf.choices_in(PRIMARY)
    for choice in choices:  # grows while it is walked
        option = choice.option
        if option is None or option == "???":
            continue
        if headless := conf.not_global(choice):
            raise as_error([headless], [])
        options = conf.options(choice.group)
        if option not in options:
            mistakes.append(conf.no_option(choice))
            option = instead[choice.group] = nearest_name(option, options)
        if option is not None:
            inner = conf.choices_in(f"{choice.group}/{option}")
            choices += [one for one in inner if one not in choices]
    return mistakes, instead


def _as_meant(settings: list[Setting], instead: dict[str, str | None], conf: Conf) -> list[Setting]:
    """Replace options that do not exist by the most similar ones, or by none."""
    kept = [one for one in settings if one.kind != "choice" or one.key not in instead]
    for group, option in instead.items():
        prefix = "" if group in conf.groups else "+"
        form = f"{prefix}{group}={option}" if option else f"~{group}"
        kept.append(Setting(form, group, "choice", form))
    return kept


def _missing_choices(choices: dict[str, str], conf: Conf, known: Collection[str]) -> list[Mistake]:
    """Find groups that need a choice and have none, except those in `known`."""
    needed = [group for group, option in conf.groups.items() if option is not None]
    lacking = [group for group in needed if group not in {*choices, *known}]
    experiments = conf.options("experiment")
    if not lacking or "experiment" in known:
        return []
    if experiments and "experiment" not in choices:
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
            f"choose one on the command line, or by 'override /{group}: NAME' in the experiment; "
            f"one of your own is a file conf/{group}/NAME.yaml with its _target_ and keys",
        )
        for group in lacking
    ]
