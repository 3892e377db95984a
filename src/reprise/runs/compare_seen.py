"""What a comparison knows of a run, and which of it sets the runs apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """A run as its own folder tells it.

    Args:
        id: Its id.
        status: What became of it: `finished`, `running 3/8` and the like.
        choices: The experiment, and the option chosen for each group.
        params: Every setting by its dotted key, as text.
        metrics: `<split>/<metric>` of its best model; while it has no result, of the epoch that was
            best so far.
        history: `{metric: {epoch: value}}`.
        data: Hash of its data.
        code: Its commit, with a mark of what was not committed.
        monitor: The metric that decides which epoch is best, such as `valid/iou`.
        mode: `max` or `min`.
    """

    id: str
    status: str
    choices: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    history: Mapping[str, Mapping[int, float]]
    data: str
    code: str
    monitor: str
    mode: str


def changed_params(runs: Sequence[Seen]) -> dict[str, list[str | None]]:
    """The settings that are not the same in all runs, with each run's value or None.

    Where runs have chosen different options for a group, its settings count only where they differ
    between runs of the same option: all else is told by the option.
    """
    choices = _differing([run.choices for run in runs])
    params = _differing([run.params for run in runs])
    for key in [key for key in params if key.partition(".")[0] in choices]:
        pairs = {*zip(choices[key.partition(".")[0]], params[key], strict=True)}
        if len(pairs) == len({option for option, _ in pairs}):
            del params[key]
    return choices | params


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Each dotted key by as few of its last words as tell it from the others."""
    short: dict[str, str] = {}
    for key in keys:
        words = key.split(".")
        endings = (".".join(words[-count:]) for count in range(1, len(words) + 1))
        short[key] = next(
            end
            for end in endings
            if end == key
            or not any(f".{other}".endswith(f".{end}") for other in keys if other != key)
        )
    return short


def is_of_one_class(metric: str, metrics: Sequence[str]) -> bool:
    """Whether a metric is a score of one class, as `f1_cat` is where there is `f1`."""
    return any(metric.startswith(f"{other}_") for other in metrics)


def _differing(found: Sequence[Mapping[str, str]]) -> dict[str, list[str | None]]:
    keys = dict.fromkeys(key for own in found for key in own)
    values = {key: [own.get(key) for own in found] for key in keys}
    return {key: own for key, own in values.items() if len({*own}) > 1}
