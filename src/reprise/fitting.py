"""A run's training: what it is watched by, and how its state is kept."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from reprise.experiment import Data
from reprise.resumed import Resumed
from reprise.run_folder import STATE


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
        callbacks=_observers(run, trainer, data, loaders, steps),
        keeping=keeping,
        cause=lambda: train.error or valid.error,
    )
    run.tags({"weights_sha256": weights_sha256(model)})


def keeping_of(folder: Path, resumed: Resumed | None, asked: Callable[[], int | None]) -> Any:
    """How the training state of the run in `folder` is kept, and which one it goes on from."""
    from reprise.training.keeping import Keeping

    state, rate = (resumed.state, resumed.learning_rate) if resumed else (None, None)
    return Keeping(folder / STATE, state, asked, partial(_say_not_kept, "training state"), rate)


def _say_not_kept(what: str, error: OSError) -> None:
    note = f"the {what} could not be written; training goes on, and the one before stays"
    print(f"\nnote: {note}: {error}", file=sys.stderr, flush=True)


def _observers(
    run: Any, trainer: Any, data: Data, loaders: Mapping[str, Any], steps: int
) -> list[Any]:
    """The callbacks that only watch: checkpoint, numbers, pictures, the terminal."""
    from reprise.sweeping.pruning import pruning_of
    from reprise.tracking.callback import EpochMetrics, StepMetrics
    from reprise.tracking.pictures import Predictions, write_inputs
    from reprise.training.checkpoint import Checkpoint
    from reprise.training.progress import Progress

    def waited() -> float:
        return sum(loader.waited_s for loader in loaders.values())

    draw = data.dataset.draw
    write_inputs(run, *data.first("train", trainer.num_pictures), draw, "pictures/inputs.png")
    observers = [
        Checkpoint(
            run.folder / "checkpoints",
            run.folder / STATE,
            trainer.keras_monitor,
            trainer.monitor_mode,
            partial(_say_not_kept, "checkpoint"),
        ),
        EpochMetrics(run, waited),
        Progress(steps, waited, trainer.keras_monitor),
    ]
    if trainer.log_every_steps is not None:
        observers.append(StepMetrics(run, trainer.log_every_steps))
    if trainer.pictures_every is not None:
        x, y = data.first("valid", trainer.num_pictures)
        observers.append(Predictions(run, x, y, draw, trainer.pictures_every))
    return [*observers, *pruning_of(run)]  # last: what the epoch has reached is recorded by then
