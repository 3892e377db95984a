"""Runs side by side as text: what differs between them, and what they have reached."""

from collections.abc import Mapping, Sequence

from reprise.runs.compare_ranking import best_of, metric_names, of_all_classes
from reprise.runs.compare_seen import Seen, changed_params, short_names

Columns = dict[str, list[str]]  # head, and a cell for each run

GAP = "  "
LONGEST = 28  # letters of a cell
NONE = "-"
DIGEST = 7  # letters of a hash that are shown


def columns_of(runs: Sequence[Seen], *, exact: bool = False) -> Columns:
    """Everything that is worth comparing, the columns in the order in which they are read.

    Id and status; data and code where they are not the same for all; settings that differ; metrics.

    Args:
        runs: In the order in which they are to stand.
        exact: Numbers and hashes in full, for programs; else rounded for people, and the best
            value of each metric marked with `*`.
    """
    columns: Columns = {"run": [run.id for run in runs], "status": [run.status for run in runs]}
    for head, values in (
        ("data", [run.data for run in runs]),
        ("code", [run.code for run in runs]),
    ):
        if len({*values}) > 1:
            columns[head] = values if exact else [_hash(value) for value in values]
    changed = changed_params(runs)
    short = short_names([*changed])
    for key, own in changed.items():
        head = key if exact or short[key] in columns else short[key]
        columns[head] = [value or NONE for value in own]
    for metric in metric_names(runs):
        best = set() if exact else best_of(metric, runs)
        digits = 17 if exact else 4
        columns[metric] = [_number(run.metrics.get(metric), run.id in best, digits) for run in runs]
    return columns


def as_text(columns: Columns, width: int) -> tuple[str, list[str]]:
    """Lay columns out for a terminal.

    A line for each run where that fits; else a column for each run; else a line for each run with
    as many columns as there is room for.

    Args:
        columns: As `columns_of` makes them.
        width: Letters of a line.

    Returns:
        The table, and the heads of the columns that are not in it. Scores of single classes are in
        no table, and not among these.
    """
    scores = {*of_all_classes([head for head in columns if "/" in head])}
    shown = {
        head: [_clip(cell) for cell in cells]
        for head, cells in columns.items()
        if "/" not in head or head in scores
    }
    by_run, by_column = _turned(shown), [[head, *cells] for head, cells in shown.items()]
    for rows in (by_run, by_column):
        if _width(rows) <= width:
            return _aligned(rows), []
    kept = _fitting(shown, width)
    return _aligned(_turned(kept)), [head for head in shown if head not in kept]


def warnings_of(columns: Mapping[str, Sequence[str]]) -> list[str]:
    """What to be warned of: data or code that is not the same for all runs."""
    texts = {
        "data": "the runs saw different data: their metrics do not compare",
        "code": "the runs were made by different code: a commit, + what was not committed",
    }
    return [f"note: {text}" for head, text in texts.items() if head in columns]


def _fitting(columns: Columns, width: int) -> Columns:
    """The columns that fit: id and status, the first two metrics, then one after the other."""
    heads = [*columns]
    metrics = [head for head in heads if "/" in head]
    kept: set[str] = set()
    for head in sorted(heads, key=lambda head: heads.index(head) > 1 and head not in metrics[:2]):
        if _width(_turned({h: columns[h] for h in heads if h in {*kept, head}})) <= width:
            kept.add(head)
    kept.add(heads[0])
    return {head: columns[head] for head in heads if head in kept}


def _turned(columns: Columns) -> list[list[str]]:
    return [[*columns], *([*row] for row in zip(*columns.values(), strict=True))]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _width(rows: Sequence[Sequence[str]]) -> int:
    widths = _widths(rows)
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = _widths(rows)
    lines = [
        GAP.join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(lines)


def _clip(cell: str) -> str:
    return cell if len(cell) <= LONGEST else cell[: LONGEST - 1] + "…"


def _hash(value: str) -> str:
    commit, plus, patch = value.partition("+")
    return commit[:DIGEST] + plus + patch[:DIGEST]


def _number(value: float | None, is_best: bool, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}g}" + "*" * is_best
