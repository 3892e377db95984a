"""What a sweep has come to: a table of its jobs, the best of them, and a picture of all."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import log
from pathlib import Path

from reprise.runs.job import Job
from reprise.sweeps.ledger import Standing
from reprise.sweeps.space import Axis


@dataclass(frozen=True)
class Row:
    """A job, where it stands, and its result (empty where it has none)."""

    job: Job
    standing: Standing
    result: Mapping[str, float]

    def setting(self, axis: Axis) -> str:
        """Its value for a key."""
        key = f"{axis.key}="
        return next(w.removeprefix(key) for w in self.job.overrides if w.startswith(key))


def ranked(rows: list[Row], metric: str, mode: str) -> list[Row]:
    """Jobs that have a result, the best first, then the others by number."""
    done = [row for row in rows if row.standing.state == "done" and metric in row.result]
    done.sort(key=lambda row: row.result[metric], reverse=mode == "max")
    return done + [row for row in rows if row not in done]


def table(rows: list[Row], axes: list[Axis], metric: str) -> str:
    """The rows as a Markdown table that also reads well as it is, and below it why jobs failed."""
    test = f"test/{metric.partition('/')[2]}"
    metrics = [name for name in (metric, test) if any(name in row.result for row in rows)]
    names = [axis.key.lstrip("+") for axis in axes]
    lines = [["job", *names, "state", *metrics, "seconds", "run"]]
    for row in rows:
        values = [f"{row.result[n]:.4f}" if n in row.result else "" for n in metrics]
        settings = [row.setting(axis) for axis in axes]
        taken = f"{row.standing.seconds:.0f}"
        lines.append(
            [str(row.job.number), *settings, row.standing.state, *values, taken, row.job.run]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    failed = [row for row in rows if row.standing.state == "failed"]
    why = [f"\njob {row.job.number} failed: {row.standing.why}" for row in failed]
    return "\n".join([*texts, *why])


def counts(rows: list[Row]) -> str:
    """How many jobs have ended how: `9 done, 3 failed`."""
    states = [row.standing.state for row in rows]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states)))


def draw(rows: list[Row], axes: list[Axis], metric: str, path: Path) -> None:
    """Draw the finished jobs in parallel coordinates: a line each, coloured by the metric."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    done = [row for row in rows if metric in row.result]
    figure = Figure(figsize=(2.2 * (len(axes) + 1) + 1, 4), layout="constrained")
    plot = figure.subplots()
    columns = [_column([row.setting(axis) for row in done], axis) for axis in axes]
    columns.append(_scaled([row.result[metric] for row in done]))
    for line, last in zip(
        zip(*(heights for heights, _ in columns), strict=True), columns[-1][0], strict=True
    ):
        plot.plot(range(len(line)), line, color=colormaps["viridis"](last), alpha=0.8)
    for at, (_, ticks) in enumerate(columns):
        plot.axvline(at, color="0.7", linewidth=0.8)
        for height, text in ticks:
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
            plot.text(at + 0.03, height, text, fontsize=8, va="center", bbox=behind)
    names = [axis.key.lstrip("+").replace(".", ".\n") for axis in axes]
    plot.set_xticks(range(len(columns)), [*names, metric])
    plot.set_xlim(-0.1, len(columns) - 0.6)
    plot.set_yticks([])
    plot.spines[:].set_visible(False)
    figure.savefig(path, dpi=100)


Column = tuple[list[float], list[tuple[float, str]]]  # heights from 0 to 1, and labels at heights


def _column(settings: list[str], axis: Axis) -> Column:
    """The place of each job's value on the axis: by its size, or by its order among choices."""
    if axis.is_interval:
        return _scaled([float(value) for value in settings], is_log=axis.is_log)
    last, values = max(len(axis.values) - 1, 1), list(axis.values)
    with suppress(ValueError):  # they are no numbers
        values.sort(key=float)
    place = {value: at / last for at, value in enumerate(values)}
    return [place[value] for value in settings], [(at, value) for value, at in place.items()]


def _scaled(values: list[float], *, is_log: bool = False) -> Column:
    sized = [log(value) if is_log else value for value in values]
    low, high = min(sized), max(sized)
    heights = [(size - low) / (high - low or 1.0) for size in sized]
    ends = {min(values): 0.0, max(values): 1.0 if high > low else 0.0}
    return heights, [(height, f"{value:.4g}") for value, height in ends.items()]
