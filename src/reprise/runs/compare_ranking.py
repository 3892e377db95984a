"""Which run is better: by one metric, or in each."""

from collections.abc import Sequence

from reprise.errors import UserError
from reprise.runs.compare_seen import Seen, is_of_one_class

LOWER_IS_BETTER = {"loss", "mae", "rmse"}
NEWEST = "newest"


def is_lower_better(metric: str, runs: Sequence[Seen]) -> bool:
    """Whether a smaller value of `<split>/<metric>` is the better one.

    As the runs' own `trainer.monitor_mode` says for the metric they are judged by.
    """
    name = metric.rpartition("/")[2]
    modes = {run.mode for run in runs if run.monitor.rpartition("/")[2] == name}
    return modes == {"min"} if modes else name in LOWER_IS_BETTER


def ranked(runs: Sequence[Seen], by: str) -> list[Seen]:
    """The runs, the best first and those without a value last.

    Args:
        runs: In any order.
        by: A metric, `newest`, or empty for what the newest run is judged by.

    Raises:
        UserError: no run has this metric.
    """
    newest = sorted(runs, key=lambda run: run.id, reverse=True)
    if by == NEWEST:
        return newest
    metric = by or newest[0].monitor
    if by and not any(metric in run.metrics for run in runs):
        raise UserError(
            f"no run has {by} to sort by",
            expected=", ".join([NEWEST, *of_all_classes(metric_names(runs))]),
            received=f"sort={by}",
            remedy="choose one of these",
        )
    sign = 1 if is_lower_better(metric, runs) else -1
    have = [run for run in newest if _is_number(run.metrics.get(metric))]
    rest = [run for run in newest if run not in have]
    return [*sorted(have, key=lambda run: sign * run.metrics[metric]), *rest]


def metric_names(runs: Sequence[Seen]) -> list[str]:
    """Every metric that a run has: what the first run is judged by, the loss, the others by name.

    The scores of single classes come last; `test/…` stands before `valid/…` of the same metric.
    """
    found = {name for run in runs for name in run.metrics}
    bases = {name.partition("/")[2] for name in found}
    judge = runs[0].monitor.partition("/")[2]

    def place(name: str) -> tuple[bool, bool, bool, bool, str, str]:
        split, _, base = name.partition("/")
        is_plain = split in {"test", "valid"}
        of_one = is_of_one_class(base, [*bases])
        return of_one, not is_plain, base != judge, base != "loss", base, split

    return sorted(found, key=place)


def of_all_classes(names: Sequence[str]) -> list[str]:
    """`<split>/<metric>` names without the scores of single classes."""
    bases = [name.partition("/")[2] for name in names]
    return [name for name in names if not is_of_one_class(name.partition("/")[2], bases)]


def best_of(metric: str, runs: Sequence[Seen]) -> set[str]:
    """Ids of the runs that are best in a metric; empty where fewer than two have it."""
    values = {run.id: run.metrics[metric] for run in runs if _is_number(run.metrics.get(metric))}
    if len(values) < 2:
        return set()
    best = (min if is_lower_better(metric, runs) else max)(values.values())
    return {run for run, value in values.items() if value == best}


def _is_number(value: float | None) -> bool:
    return value is not None and value == value
