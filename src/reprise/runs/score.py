"""Score a run's best model, and record the result: metrics, model, table, pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reprise.config.build import build
from reprise.errors import UserError
from reprise.files import replacing
from reprise.runs.experiment import Data, compiled, for_keras, set_up_device
from reprise.runs.folder import CHECKPOINTS, RESULT, STATE
from reprise.runs.load import SavedRun, load_best, open_saved_data
from reprise.tracking.journal import OWN_ID, of_all_classes
from reprise.training.state import BEST

if TYPE_CHECKING:
    import keras
    from mlflow.models import ModelSignature

    from reprise.runs.update import Parent
    from reprise.tracking.run import Run
    from reprise.tracking.settings import Tracking
    from reprise.training.trainer import Trainer

MODEL = "model"  # the run's artifact with its best model, as MLflow's tools load it
COLUMNS = (
    "train", "valid", "before_test", "before_valid", "test",
    "before_parent_test", "before_parent_valid", "parent_test", "parent_valid",
)  # fmt: skip


def evaluate(saved: SavedRun, split: str) -> dict[str, float]:
    """Metrics of the best model of a run on one of its splits, `{'<split>/<metric>': value}`.

    Raises:
        UserError: it has no such split.
    """
    saved.use_backend()
    data = open_saved_data(saved)
    if split not in data.splits:
        raise UserError(
            f"the run has no split '{split}'",
            expected=f"one of {', '.join(data.splits)}",
            received=f"split={split}",
            remedy="choose one of these",
        )
    set_up_device(saved.config)
    return score_splits(load_best(saved.folder), saved.config, data, [split])


def score_splits(
    model: keras.Model, config: Mapping[str, Any], data: Data, splits: Sequence[str]
) -> dict[str, float]:
    """Compile `model` as the config says, and score it on these splits.

    Returns:
        `{'<split>/<metric>': value}`
    """
    from reprise.training.fit import score

    model = compiled(config, data.dataset, model, total_steps=1)
    result: dict[str, float] = {}
    for split in splits:
        with data.loader(split) as loader:
            error = partial(getattr, loader, "error")
            result |= score(model, for_keras(loader), split, data_error=error)
    return result


def score_best(
    run: Run, config: Mapping[str, Any], data: Data, parent: Parent | None = None
) -> dict[str, float]:
    """Score the best model and record it: metrics, model, pictures.

    Returns:
        `{'<split>/<metric>': value}`; with a parent also `parent_test/…`, on its own test data, and
        what its model had reached on both before, `before_test/…` and `before_parent_test/…`.
    """
    from reprise.tracking.pictures import write_confusion, write_curves, write_predictions
    from reprise.training.checkpoint import discard

    trainer: Trainer = build(config["trainer"], key="trainer")
    tracking: Tracking = build(config["tracking"])
    checkpoints, keep = run.folder / CHECKPOINTS, tracking.keep
    model = load_best(run.folder)
    if keep != "none":
        save_model(run, model, checkpoints / BEST)  # not compiled: to load it takes Keras alone
    splits = [split for split in ("valid", "test") if split in data.splits] or ["train"]
    result = score_splits(model, config, data, splits)
    classes, name = data.dataset.target_spec.classes, f"pictures/confusion_{splits[-1]}.png"
    write_confusion(run, model, classes, name)  # of the split that was scored last
    if parent:
        result |= {**parent.before, **parent.score(model)}
    # `valid/…` already has the last epoch's value, which need not be the best
    named = {f"best/{name}" if name.startswith("valid/") else name: result[name] for name in result}
    run.metrics(named, step=max(run.history["time/epoch_s"]))
    x, y = data.first(splits[-1], trainer.num_pictures)
    pictures = ["pictures/curves.png", f"pictures/best_{splits[-1]}.png"]
    write_predictions(run, model, x, y, data.dataset.draw, pictures[1])
    write_curves(run, pictures[0])
    run.tags({"mlflow.note.content": description(result, pictures)})
    if tracking.upload_checkpoints and keep != "none":
        run.artifact(checkpoints)
    run.text(RESULT, json.dumps(result, indent=1))
    discard(checkpoints, run.folder / STATE, keep)
    return result


def save_model(run: Run, model: keras.Model, best: Path | None = None) -> Path:
    """Write `model`, uncompiled and with its signature, as the run's artifact `model`.

    It loads in a fresh process with `mlflow.pyfunc.load_model('runs:/<MLflow id>/model')`.

    Args:
        run: Where to write.
        model: Uncompiled.
        best: File of the same model in Keras's format, hard-linked where the file system has links.

    Returns:
        The artifact's folder.
    """
    import keras
    import mlflow.keras

    folder = run.folder / MODEL
    shutil.rmtree(folder, ignore_errors=True)
    needed = (keras.backend.backend(), "keras", "numpy")
    requirements = [f"{name}=={version(name)}" for name in needed]
    mlflow.keras.save_model(
        model, str(folder), signature=_signature(model), pip_requirements=requirements
    )
    if best is not None:
        with suppress(OSError), replacing(folder / "data/model.keras") as partial:
            partial.hardlink_to(best)
    run.artifact(folder)
    return folder


def _signature(model: keras.Model) -> ModelSignature:
    """Names, shapes and dtypes of what goes in and comes out; -1 is the batch axis."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def tensor(one: keras.KerasTensor) -> TensorSpec:
        shape = tuple(-1 if size is None else size for size in one.shape)
        return TensorSpec(np.dtype(one.dtype), shape)

    return ModelSignature(
        inputs=Schema([tensor(one) for one in model.inputs]),
        outputs=Schema([tensor(one) for one in model.outputs]),
    )


def description(result: Mapping[str, float], pictures: Sequence[str]) -> str:
    """Markdown for the top of the run's page: the result without single classes, and pictures.

    MLflow's Markdown shows pictures by address only; this address is right on every server.
    """
    overall = {name: result[name] for name in of_all_classes([*result])}
    shown = [f"![{name}](get-artifact?path={name}&run_uuid={OWN_ID})" for name in pictures]
    return "\n\n".join([result_table(overall), *shown])


def result_table(result: Mapping[str, float]) -> str:
    """Metrics of the best model by split, as an aligned Markdown table."""
    found = {name.partition("/")[0] for name in result}
    splits = [split for split in COLUMNS if split in found]
    rows = [[f"{'best model':<14}", *(f"{split:>8}" for split in splits)]]
    for metric in dict.fromkeys(name.partition("/")[2] for name in result):
        values = [result.get(f"{split}/{metric}") for split in splits]
        rows.append([metric, *("" if value is None else f"{value:.4f}" for value in values)])
    return markdown_table(rows, first_number=1)


def markdown_table(rows: Sequence[Sequence[str]], first_number: int | None = None) -> str:
    """Lay out cells as an aligned Markdown table.

    Args:
        rows: The heads, then the other rows.
        first_number: Column from which on cells are aligned to the right; None: no column.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first = len(widths) if first_number is None else first_number
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:first], widths, strict=False)]
        cells += [cell.rjust(n) for cell, n in zip(row[first:], widths[first:], strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    ends = ["-" if at < first else ":" for at in range(len(widths))]
    rules = ["-" * (width + 1) + end for width, end in zip(widths, ends, strict=True)]
    return "\n".join([lines[0], f"|{'|'.join(rules)}|", *lines[1:]])
