"""The curves of many runs in one picture."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reprise.runs.compare_ranking import metric_names, of_all_classes
from reprise.runs.compare_seen import Seen, changed_params, short_names

SHOWN = 4  # metrics
COLOURED = 10  # runs; the others are grey behind them
WITH_TRAINING = 4  # runs at most for which the curves of training are drawn too
LETTERS = 52  # of a run's line in the legend, for each metric drawn


def write_overlay(path: Path, runs: Sequence[Seen]) -> bool:
    """Draw each metric of validation by epoch, a line for each run, as PNG `path`.

    The first runs have a colour each and a line in the legend. Of a few runs, the same metric of
    training is drawn as a dashed line of the same colour.

    Returns:
        Whether there was anything to draw.
    """
    names = of_all_classes(metric_names(_by_epoch(runs)))
    metrics = [name.removeprefix("valid/") for name in names][:SHOWN]
    if not metrics:
        return False
    figure = Figure(figsize=(5 * len(metrics), 4.2 + 0.22 * min(len(runs), COLOURED)))
    figure.set_layout_engine("constrained")
    all_axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(all_axes, metrics, strict=True):
        axes.set(title=f"valid/{metric}", xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        for place in reversed(range(len(runs))):  # the best on top
            _draw(axes, runs[place], metric, place, len(runs) <= WITH_TRAINING)
    figure.legend(
        handles=_legend(runs, LETTERS * len(metrics)), loc="outside lower left", frameon=False
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    return True


def labels(runs: Sequence[Seen], letters: int) -> list[str]:
    """For each run the end of its id and what sets it apart, `c200  learning_rate=0.01`, cut."""
    changed = changed_params(runs)
    short = short_names([*changed])
    told = [
        " ".join(f"{short[key]}={own[at]}" for key, own in changed.items() if own[at] is not None)
        for at in range(len(runs))
    ]
    whole = [
        f"{run.id.rpartition('-')[2]}  {text}".strip() for run, text in zip(runs, told, strict=True)
    ]
    return [text if len(text) <= letters else text[: letters - 1] + "…" for text in whole]


def _by_epoch(runs: Sequence[Seen]) -> list[Seen]:
    """The runs with the latest values of validation in place of their results."""
    return [
        replace(
            run,
            metrics={
                name: list(values.values())[-1]
                for name, values in run.history.items()
                if name.startswith("valid/") and values
            },
        )
        for run in runs
    ]


def _draw(axes: Axes, run: Seen, metric: str, place: int, with_training: bool) -> None:
    is_coloured = place < COLOURED
    colour = colormaps["tab10"](place) if is_coloured else "lightgrey"
    for split, dashes in (("train", "--"), ("valid", "-")):
        values = run.history.get(f"{split}/{metric}", {})
        if values and (split == "valid" or with_training):
            marker = "." if len(values) < 3 else None  # a line of one point cannot be seen
            width = 1.6 if is_coloured and split == "valid" else 0.9
            steps = sorted(values)
            axes.plot(
                steps, [values[s] for s in steps], dashes, color=colour, lw=width, marker=marker
            )


def _legend(runs: Sequence[Seen], letters: int) -> list[Line2D]:
    lines = [
        Line2D([], [], color=colormaps["tab10"](place), label=label)
        for place, label in enumerate(labels(runs, letters)[:COLOURED])
    ]
    if len(runs) > COLOURED:
        more = f"{len(runs) - COLOURED} more"
        lines.append(Line2D([], [], color="lightgrey", label=more))
    if len(runs) <= WITH_TRAINING:
        lines.append(Line2D([], [], color="black", ls="--", lw=0.9, label="dashed: training"))
    return lines
