"""A run's training: its callbacks, and where its state is saved."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from reprise.runs.experiment import Data
from reprise.runs.folder import CHECKPOINTS, STATE
from reprise.runs.resumed import Resumed

if TYPE_CHECKING:
    import keras

    from reprise.loading.loader import Loader
    from reprise.tracking.run import Run
    from reprise.training.trainer import Trainer


def fit_run(
    run: Run,
    model: keras.Model,
    trainer: Trainer,
    steps_per_epoch: int,
    data: Data,
    loaders: Mapping[str, Loader],
    resumed: Resumed | None,
    stop: Callable[[], int | None],
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Train; leaves the best model and the training state in the run's folder.

    Args:
        run: The record.
        model: Compiled.
        trainer: Settings.
        steps_per_epoch: Batches per epoch.
        data: For the pictures.
        loaders: Of `train` and `valid`.
        resumed: The run to go on with, or None for a new one.
        stop: Returns the signal that asks training to end, or None.
        callbacks: Further ones, called last: what the epoch reached is recorded by then.
    """
    from reprise.loading.feed import as_tf_dataset
    from reprise.training.checkpoint import weights_sha256
    from reprise.training.fit import fit
    from reprise.training.state_callback import StateCallback

    train, valid = loaders["train"], loaders["valid"]
    run.params({"model.num_parameters": model.count_params()})
    fit(
        model,
        lambda step: as_tf_dataset(train, start=step),
        as_tf_dataset(valid, stop=valid.steps_per_pass),
        trainer,
        steps_per_epoch=steps_per_epoch,
        callbacks=[*_observers(run, trainer, data, loaders, steps_per_epoch), *callbacks],
        state=StateCallback(
            run.folder / STATE,
            resumed.state if resumed else None,
            stop,
            partial(_say_not_saved, "training state"),
            resumed.learning_rate if resumed else None,
        ),
        data_error=lambda: train.error or valid.error,
    )
    run.tags({"weights_sha256": weights_sha256(model)})


def _say_not_saved(what: str, error: OSError) -> None:
    note = f"the {what} could not be written; training goes on, and the one before stays"
    print(f"\nnote: {note}: {error}", file=sys.stderr, flush=True)


def _observers(
    run: Run, trainer: Trainer, data: Data, loaders: Mapping[str, Loader], steps_per_epoch: int
) -> list[keras.callbacks.Callback]:
    """The callbacks that only watch: checkpoint, numbers, pictures, the terminal."""
    from reprise.tracking.callback import EpochMetrics, StepMetrics
    from reprise.tracking.pictures import Predictions, write_inputs
    from reprise.training.checkpoint import Checkpoint
    from reprise.training.progress import Progress

    def waited() -> float:
        return sum(loader.waited_s for loader in loaders.values())

    draw = data.dataset.draw
    write_inputs(run, *data.first("train", trainer.num_pictures), draw, "pictures/inputs.png")
    observers: list[keras.callbacks.Callback] = [
        Checkpoint(
            run.folder / CHECKPOINTS,
            run.folder / STATE,
            trainer.keras_monitor,
            trainer.monitor_mode,
            partial(_say_not_saved, "checkpoint"),
        ),
        EpochMetrics(run, waited),
        Progress(steps_per_epoch, waited, trainer.keras_monitor),
    ]
    if trainer.log_every_steps is not None:
        observers.append(StepMetrics(run, trainer.log_every_steps))
    if trainer.pictures_every is not None:
        x, y = data.first("valid", trainer.num_pictures)
        observers.append(Predictions(run, x, y, draw, trainer.pictures_every))
    return observers
