"""From measurements to rows and ratios; every number is a median over interleaved rounds."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scripts.bench.measure import Result
from scripts.bench.works import WORKS

Row = dict[str, Any]
OURS = ("reprise", "reprise no workers", "fit reprise")  # the first that was measured
BOUNDS = {
    "limit",
    "received",
    "fit constant",
    "fit constant paced",
}  # no engines, but what bounds them


def rows(name: str, results: Mapping[str, Result], workers: int) -> list[Row]:
    """One row for each engine of a work.

    Args:
        name: Of the work.
        results: By engine.
        workers: By which the rate of one core is multiplied for the limit.

    Returns:
        `work`, `engine`, `dtype`, `batch_size`; `samples_per_second` and, where there is a limit,
        `of_limit` (the part of it that was reached) and `cpu_of_limit` (processor time for a sample
        as a multiple of the limit's), `of_left` (in `fit`, the part of what the model leaves),
        `first_batch_s`, `memory_mb`; or `failure` in their place.
    """
    work = WORKS[name]
    one_core = _measured(results, work.limit)
    cores = workers if work.limit == "limit" else 1
    found = []
    for engine, result in results.items():
        row: Row = {"work": name.removesuffix("_float32"), "engine": engine, "dtype": work.dtype}
        row["batch_size"] = work.batch_size
        row["samples_per_second"] = None if result.failure else result.rate
        row["of_limit"] = row["cpu_of_limit"] = row["of_left"] = None
        if result.failure:
            row["failure"] = result.failure
        else:
            row |= {"first_batch_s": result.first_batch_s, "memory_mb": result.memory_mb}
            if one_core and engine != work.limit:
                row["of_limit"] = ratio(result, one_core) / cores
                row["cpu_of_limit"] = result.cpu_s / one_core.cpu_s
                row["of_left"] = _of_left(result, results, cores)
        found.append(row)
    return found


def ratios(results: Mapping[str, Result]) -> dict[str, float]:
    """How many times as fast as each engine this project's loader is."""
    ours = next((one for name in OURS if (one := _measured(results, name))), None)
    others = {name: _measured(results, name) for name in results if name not in BOUNDS}
    pairs = ((name, one) for name, one in others.items() if one and one is not ours)
    return {name: ratio(ours, one) for name, one in pairs} if ours else {}


def ratio(one: Result, other: Result) -> float:
    """How many times as fast one is as the other, in the same rounds."""
    pairs = zip(one.spans, other.spans, strict=True)
    return statistics.median(mine.rate / theirs.rate for mine, theirs in pairs)


def table(rows: Sequence[Row], ratios: Mapping[str, float]) -> str:
    """One work's rows for the terminal."""
    columns: list[tuple[str, int, Callable[[Row], str]]] = [
        ("samples/s", 10, lambda row: f"{row['samples_per_second']:.0f}"),
        ("of limit", 9, lambda row: _number(row["of_limit"], "{:.2f}")),
        ("of left", 8, lambda row: _number(row["of_left"], "{:.2f}")),
        ("CPU x limit", 12, lambda row: _number(row["cpu_of_limit"], "{:.2f}")),
        ("first batch", 12, lambda row: f"{row['first_batch_s']:.2f} s"),
        ("memory", 9, lambda row: f"{row['memory_mb']:.0f} MB"),
        ("reprise is", 11, lambda row: _number(ratios.get(row["engine"]), "{:.2f} x")),
    ]
    head = rows[0]
    lines = [f"\n{head['work']}, {head['dtype']}, batches of {head['batch_size']}"]
    lines.append(" " * 37 + "".join(name.rjust(width) for name, width, _ in columns))
    for row in rows:
        cells = (
            "".join(show(row).rjust(width) for _, width, show in columns)
            if (row["samples_per_second"])
            else f"  {row['failure']}"
        )
        lines.append(f"  {row['engine']:35s}{cells}")
    return "\n".join(lines)


def _measured(results: Mapping[str, Result], name: str | None) -> Result | None:
    result = results.get(name or "")
    return None if result is None or result.failure else result


def _of_left(result: Result, results: Mapping[str, Result], cores: int) -> float | None:
    """In `fit`, the part of what the model's own processor time, at such a pace, leaves."""
    limit, model = _measured(results, "limit"), _measured(results, "fit constant paced")
    if not limit or not model:
        return None
    return result.rate * (1 / (limit.rate * cores) + model.cpu_s / cores)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
