"""Which class was taken for which: the confusion matrix as a picture."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from reprise.tracking.run import Run

NUMBERED = 30  # with more classes only the colours are drawn, and every few names
LARGEST = 9999  # greater numbers do not fit into a cell
LETTERS = 24  # of a name


def write_confusion(run: Run, model: keras.Model, classes: Sequence[str], name: str) -> None:
    """Draw what `model` took for what in its last `evaluate` as PNG `name`, and record it.

    Nothing is drawn where no metric of the model counted a confusion matrix.

    Args:
        run: Where to write.
        model: Compiled and evaluated.
        classes: Their names; one alone means yes/no.
        name: Path in the run's folder.
    """
    matrix = _counted(model)
    if matrix is None:
        return
    names = ["no", *classes] if len(classes) == 1 else list(classes)
    path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(matrix, names).savefig(path, dpi=100)
    run.artifact(path)


def draw(matrix: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw rows of truth and columns of answers, coloured by their share of the row.

    Args:
        matrix: Shape (classes, classes), counts.
        names: One per class.

    Returns:
        A figure in which each cell has its count, or its percentage of the row where counts are
        too long to be read.
    """
    count = len(names)
    side = 2.0 + 0.45 * min(count, NUMBERED)  # inches
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    is_long = matrix.max() > LARGEST
    if count <= NUMBERED:
        for row, column in np.argwhere(matrix > 0):
            share = shares[row, column]
            text = f"{100 * share:.0f}" if is_long else f"{matrix[row, column]:.0f}"
            color = "white" if share > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    shown = range(0, count, -(-count // NUMBERED))
    labels = [n if len(n) <= LETTERS else n[: LETTERS - 1] + "…" for n in (names[a] for a in shown)]
    axes.set_xticks(shown, labels, rotation=90)
    axes.set_yticks(shown, labels)
    unit = "% of the truth" if is_long and count <= NUMBERED else "count"
    axes.set(xlabel="answer", ylabel="truth", title=unit)
    return figure


def _counted(model: keras.Model) -> np.ndarray | None:
    """The confusion matrix of the first metric that counts one."""
    found: list[Any] = [
        one for metric in model.metrics for one in getattr(metric, "metrics", [metric])
    ]
    matrices = [one.confusion for one in found if hasattr(one, "confusion")]
    return keras.ops.convert_to_numpy(matrices[0]) if matrices else None
