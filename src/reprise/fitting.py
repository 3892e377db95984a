"""What a run does between its first record and its result."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reprise.experiment import Data
from reprise.parent import Parent
from reprise.resumed import Resumed
from reprise.run_folder import RESULT, STATE

COLUMNS = (
    "valid", "before_test", "before_valid", "test",
    "before_parent_test", "before_parent_valid", "parent_test", "parent_valid",
)  # fmt: skip


def fit_run(
    run: Any,
    model: Any,
    trainer: Any,
    steps: int,
    data: Data,
    loaders: Mapping[str, Any],
    keeping: Any,
) -> None:
    """Train; leaves the best and the last model, and the training state, in the run's folder.

    Args:
        run: The record.
        model: Compiled.
        trainer: Settings.
        steps: Of an epoch.
        data: For the pictures.
        loaders: Of `train` and `valid`.
        keeping: As `keeping_of` makes it.
    """
    from reprise.loading.feed import as_tf_dataset
    from reprise.training.checkpoint import weights_sha256
    from reprise.training.fit import fit

    train, valid = loaders["train"], loaders["valid"]
    run.params({"model.num_parameters": model.count_params()})
    fit(
        model,
        lambda step: as_tf_dataset(train, start=step),
        as_tf_dataset(valid, stop=valid.steps_per_pass),
        trainer,
        steps_per_epoch=steps,
        callbacks=_observers(run, trainer, data, train, steps),
        keeping=keeping,
        cause=lambda: train.error or valid.error,
    )
    run.tags({"weights_sha256": weights_sha256(model)})


def keeping_of(folder: Path, resumed: Resumed | None, asked: Callable[[], int | None]) -> Any:
    """How the training state of the run in `folder` is kept, and which one it goes on from."""
    from reprise.training.keeping import Keeping

    state, rate = (resumed.state, resumed.learning_rate) if resumed else (None, None)
    return Keeping(folder / STATE, state, asked, _say_not_kept, rate)


def _say_not_kept(error: OSError) -> None:
    note = "the training state could not be written; training goes on, and older states stay"
    print(f"\nnote: {note}: {error}", file=sys.stderr, flush=True)


def _observers(run: Any, trainer: Any, data: Data, loader: Any, steps: int) -> list[Any]:
    """The callbacks that only watch: checkpoint, numbers, pictures, the terminal."""
    from reprise.tracking.callback import EpochMetrics
    from reprise.tracking.pictures import Predictions, write_inputs
    from reprise.training.checkpoint import Checkpoint
    from reprise.training.progress import Progress

    def waited() -> float:
        return loader.waited_s

    draw = data.dataset.picture
    write_inputs(run, *data.first("train", trainer.num_pictures), draw, "pictures/inputs.png")
    observers = [
        Checkpoint(
            run.folder / "checkpoints",
            run.folder / STATE,
            trainer.keras_monitor,
            trainer.monitor_mode,
        ),
        EpochMetrics(run, waited),
        Progress(steps, waited, trainer.keras_monitor),
    ]
    if trainer.pictures_every is not None:
        x, y = data.first("valid", trainer.num_pictures)
        observers.append(Predictions(run, x, y, draw, trainer.pictures_every))
    return observers


def score_best(
    run: Any, config: Mapping[str, Any], data: Data, parent: Parent | None = None
) -> dict[str, float]:
    """Score the best model and record it: metrics, model, checkpoints, pictures.

    Returns:
        `{'<split>/<metric>': value}`; with a parent also `parent_test/…`, on its own test data, and
        what its model had reached on both before, `before_test/…` and `before_parent_test/…`.
    """
    from reprise.evaluate import load_best, score_splits
    from reprise.tracking.confusion import write_confusion
    from reprise.tracking.curves import write_curves
    from reprise.tracking.model import save_model
    from reprise.tracking.pictures import write_predictions

    model = load_best(run.folder)
    save_model(run, model)  # before it is compiled: to load it then takes Keras alone
    splits = [split for split in ("valid", "test") if split in data.splits]
    result = score_splits(model, config, data, splits)
    classes, name = data.dataset.target_spec.classes, f"pictures/confusion_{splits[-1]}.png"
    write_confusion(run, model, classes, name)  # of the split that was scored last
    if parent:
        result |= {**parent.before, **parent.score(model)}
    # `valid/…` already has the last epoch's value, which need not be the best
    named = {f"best/{name}" if name.startswith("valid/") else name: result[name] for name in result}
    run.metrics(named, step=0)
    x, y = data.first(splits[-1], config["trainer"]["num_pictures"])
    name = f"pictures/best_{splits[-1]}.png"
    write_predictions(run, model, x, y, data.dataset.picture, name)
    write_curves(run, "pictures/curves.png")
    run.tags({"mlflow.note.content": result_table(result)})  # the description in the UI
    if config["tracking"]["upload_checkpoints"]:
        run.artifact(run.folder / "checkpoints")
    run.text(RESULT, json.dumps(result, indent=1))  # last: where it stands, the run is finished
    return result


def result_table(result: Mapping[str, float]) -> str:
    """Metrics of the best model by split, in Markdown that also reads well as it is."""
    found = {name.partition("/")[0] for name in result}
    splits = [split for split in COLUMNS if split in found]
    lines = ["| best model     | " + " | ".join(f"{split:>8}" for split in splits) + " |"]
    lines.append(
        "|----------------|" + "|".join("-" * (max(8, len(s)) + 1) + ":" for s in splits) + "|"
    )
    for metric in dict.fromkeys(name.partition("/")[2] for name in result):
        cells = [(result.get(f"{split}/{metric}"), max(8, len(split))) for split in splits]
        values = [" " * width if v is None else f"{v:{width}.4f}" for v, width in cells]
        lines.append(f"| {metric:<14} | {' | '.join(values)} |")
    return "\n".join(lines)
