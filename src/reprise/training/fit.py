"""Keras's own fit, driven in steps."""

from collections.abc import Sequence
from typing import Any

import keras

from reprise.training.cause import Cause, data_errors_as_themselves
from reprise.training.release import Release
from reprise.training.trainer import Trainer


def fit(
    model: keras.Model,
    train_data: Any,
    valid_data: Any,
    trainer: Trainer,
    *,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
    cause: Cause | None = None,
) -> None:
    """Train for `trainer.epochs` epochs of `steps_per_epoch` steps.

    Args:
        model: A compiled model.
        train_data: Endless batches (x, y), of any kind that Keras takes.
        valid_data: One pass of batches, read anew at every epoch's end.
        trainer: Settings.
        steps_per_epoch: Batches per epoch.
        callbacks: Called in this order, after those that `trainer` asks for.
        cause: Tells which error of the data stopped the feed, if one did.

    Raises:
        UserError: a sample could not be read.
    """
    with data_errors_as_themselves(cause):
        model.fit(
            train_data,
            validation_data=valid_data,
            epochs=trainer.epochs,
            steps_per_epoch=steps_per_epoch,
            callbacks=[*watchers(trainer, model), *callbacks],
            shuffle=False,
            verbose=0,
        )


def watchers(trainer: Trainer, model: keras.Model) -> list[keras.callbacks.Callback]:
    """The callbacks that act on training itself, as `trainer` asks for them."""
    watch = {
        "monitor": trainer.keras_monitor,
        "mode": trainer.monitor_mode,
        "min_delta": trainer.min_delta,
    }
    found: list[keras.callbacks.Callback] = []
    if getattr(model, "release_epoch", None) is not None:
        found.append(Release(model.release_epoch))
    if trainer.reduce_lr_patience is not None:
        found.append(
            keras.callbacks.ReduceLROnPlateau(
                patience=trainer.reduce_lr_patience,
                factor=trainer.reduce_lr_factor,
                min_lr=trainer.reduce_lr_min,
                **watch,
            )
        )
    if trainer.early_stopping_patience is not None:
        found.append(
            keras.callbacks.EarlyStopping(patience=trainer.early_stopping_patience, **watch)
        )
    return [*found, *trainer.callbacks]
