"""Pictures of a run: inputs, predictions as training goes on, curves, and the confusion matrix."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
from PIL import Image

from reprise.datasets.drawing import plain_text, save_grid
from reprise.files import replacing
from reprise.tracking.journal import of_all_classes
from reprise.tracking.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[..., None]  # `Dataset.draw`
LOGGED_IMAGES = "mlflow.loggedImages"  # tag of a run that has pictures with a slider
_WEBP_QUALITY = 80  # of 100, for the copy that the UI loads first
_MOST_CURVES = 4  # as many as the UI shows side by side in a run's description
_MOST_NUMBERED = 30  # classes; with more, a confusion matrix has colours alone, and fewer names
_LARGEST_COUNT = 9999  # that fits into a cell
_LETTERS = 24  # of a class's name


class Predictions(keras.callbacks.Callback):
    """Draws samples beside the model's output for them, before training and every few epochs.

    MLflow's UI shows the pictures as one with a slider over the epochs. It finds them by the file
    names that `MlflowClient.log_image` gives in release 3.17: key, step, time, and a suffix for the
    copy that is loaded first. The time is 0, so that a picture drawn again replaces itself.

    Args:
        run: The run.
        x: Inputs, with a batch axis.
        y: Targets, with a batch axis.
        draw: The dataset's `draw`.
        every: Epochs between two pictures; the last epoch is always drawn.
    """

    def __init__(self, run: Run, x: np.ndarray, y: np.ndarray, draw: Draw, every: int) -> None:
        super().__init__()
        self.run, self.x, self.y, self.draw, self.every = run, x, y, draw, every

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw the predictions of the untrained model, where the slider stands at first."""
        if epoch == 0 and not self._path(0).exists():  # a resumed run has it
            self._write(0)
            self.run.tags({LOGGED_IMAGES: True})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw the predictions, every few epochs."""
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            self._write(epoch + 1)

    def _write(self, epoch: int) -> None:
        path = self._path(epoch)
        name = path.relative_to(self.run.folder).as_posix()
        write_predictions(self.run, self.model, self.x, self.y, self.draw, name)
        small = path.with_name(f"{path.stem}+compressed.webp")
        if path.exists():  # the disk had room for it
            with borne(small, self.run), replacing(small) as partial:
                Image.open(path).save(partial, "webp", quality=_WEBP_QUALITY)

    def _path(self, epoch: int) -> Path:
        name = f"predictions+step+{epoch:04d}+timestamp+0+{self.run.id}.png"
        return self.run.folder / "images" / name


@contextmanager
def borne(path: Path, run: Run) -> Iterator[None]:
    """Record a picture once it is written; one that the disk does not take ends no run."""
    try:
        yield
    except OSError as error:
        print(f"\nnote: {path.name} could not be written: {error}", file=sys.stderr, flush=True)
    else:
        run.artifact(path)


def write_predictions(
    run: Run, model: keras.Model, x: np.ndarray, y: np.ndarray, draw: Draw, name: str
) -> None:
    """Write a grid of samples, each with its target and the model's output, as PNG `name`."""
    outputs = np.asarray(keras.ops.convert_to_numpy(model(x, training=False)), np.float32)
    with borne(run.folder / name, run):
        save_grid(run.folder / name, draw, x, y, outputs)


def write_curves(run: Run, name: str) -> None:
    """Draw the history of a run by epoch, for training and validation, as PNG `name`."""
    _save(run, draw_curves(run.history), name)


def draw_curves(history: Mapping[str, Mapping[int, float]]) -> "Figure":
    """Draw metrics by epoch, for training and validation.

    Metrics are those of training, the loss first and then by name, without the scores of single
    classes (`f1_cat` if there is `f1`).

    Args:
        history: `{'train/loss': {epoch: value}}`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = of_all_classes([key for key in history if key.startswith("train/")])
    metrics = [name.removeprefix("train/") for name in names]
    metrics = sorted(metrics, key=lambda key: (key != "loss", key))[:_MOST_CURVES]
    figure = Figure(figsize=(2.9 * len(metrics), 2.6), layout="constrained")
    cells = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(cells, metrics, strict=True):
        for split in ("train", "valid"):
            if values := history.get(f"{split}/{metric}"):
                axes.plot(list(values), list(values.values()), label=split)
        axes.set(title=metric, xlabel="epoch")
        axes.legend()
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    return figure


def write_confusion(run: Run, model: keras.Model, classes: Sequence[str], name: str) -> None:
    """Draw the confusion matrix that a model counted in its last `evaluate`, as PNG `name`.

    Nothing is drawn if no metric of the model counts one.

    Args:
        run: The run.
        model: Compiled and evaluated.
        classes: Their names; one alone means yes/no.
        name: Path in the run's folder.
    """
    metrics = [one for metric in model.metrics for one in getattr(metric, "metrics", [metric])]
    matrices = [metric.confusion for metric in metrics if hasattr(metric, "confusion")]
    if matrices:
        names = ["no", *classes] if len(classes) == 1 else list(classes)
        _save(run, draw_confusion(keras.ops.convert_to_numpy(matrices[0]), names), name)


def draw_confusion(matrix: np.ndarray, names: Sequence[str]) -> "Figure":
    """Draw a confusion matrix, coloured by the share of each row.

    Args:
        matrix: Counts by truth (rows) and answer (columns), shape (classes, classes).
        names: One per class.

    Returns:
        A figure with the count in each cell, or the percentage of the row if a count is too long.
    """
    from matplotlib.figure import Figure

    count = len(names)
    side = 2.0 + 0.45 * min(count, _MOST_NUMBERED)  # inches
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    is_long = matrix.max() > _LARGEST_COUNT
    if count <= _MOST_NUMBERED:
        for row, column in np.argwhere(matrix > 0):
            share = shares[row, column]
            text = f"{100 * share:.0f}" if is_long else f"{matrix[row, column]:.0f}"
            color = "white" if share > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    shown = range(0, count, -(-count // _MOST_NUMBERED))
    labels = [plain_text(names[at], _LETTERS) for at in shown]
    axes.set_xticks(shown, labels, rotation=90)
    axes.set_yticks(shown, labels)
    unit = "% of the truth" if is_long and count <= _MOST_NUMBERED else "count"
    axes.set(xlabel="answer", ylabel="truth", title=unit)
    return figure


def _save(run: Run, figure: "Figure", name: str) -> None:
    path = run.folder / name
    with borne(path, run):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            figure.savefig(partial, dpi=100)
