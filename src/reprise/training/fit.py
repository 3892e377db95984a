"""Keras's own fit, driven in steps."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from reprise.training.blow_up import BlownUp, BlowUp
from reprise.training.cause import Cause, data_errors_as_themselves
from reprise.training.keeper import Keeper
from reprise.training.keeping import Keeping
from reprise.training.release import Release
from reprise.training.trainer import Trainer


def fit(
    model: keras.Model,
    train_from: Callable[[int], Any],
    valid_data: Any,
    trainer: Trainer,
    *,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
    keeping: Keeping,
    cause: Cause | None = None,
) -> None:
    """Train until `trainer.epochs` epochs of `steps_per_epoch` steps are done.

    Args:
        model: A compiled model.
        train_from: Gives the endless batches (x, y) from a step on, of any kind that Keras takes.
        valid_data: One pass of batches, read anew at every epoch's end.
        trainer: Settings.
        steps_per_epoch: Batches per epoch.
        callbacks: Called in this order, after those that `trainer` asks for.
        keeping: Where the training state is kept, and the one to go on from.
        cause: Tells which error of the data stopped the feed, if one did.

    Raises:
        UserError: a sample could not be read.
        Stopped: training was asked to end, and can be resumed.
    """
    everyone = [*watchers(trainer, model), *callbacks]
    keeper = Keeper(keeping, steps_per_epoch, everyone)
    called = keras.callbacks.CallbackList(
        [*everyone, keeper], True, model=model, epochs=trainer.epochs, steps=steps_per_epoch
    )
    try:
        with data_errors_as_themselves(cause):
            keeper.restore()
            if not keeper.is_over:
                again = partial(_go_on, model, train_from, valid_data, keeper, called)
                _recovering(again, keeper, trainer)
    finally:
        keeper.writer.wait()


def _recovering(again: Callable[[], None], keeper: Keeper, trainer: Trainer) -> None:
    """Train; where the loss blows up, go back and train again as often as `trainer` allows."""
    while True:
        try:
            again()
            return
        except BlownUp as error:
            _go_back(error, keeper, trainer)


def _go_back(error: BlownUp, keeper: Keeper, trainer: Trainer) -> None:
    """Go back to the newest state and lower the learning rate, as often as `trainer` allows.

    Raises:
        BlownUp: that was often enough.
    """
    if keeper.recoveries >= trainer.recoveries or not keeper.go_back(trainer.reduce_lr_factor):
        raise error
    rate = float(keras.ops.convert_to_numpy(keeper.model.optimizer.learning_rate))
    where = f"back to step {keeper.step}, with a learning rate of {rate:g}"
    print(f"note: {error.args[0]}; {where}", file=sys.stderr, flush=True)


def _go_on(
    model: keras.Model,
    train_from: Callable[[int], Any],
    valid_data: Any,
    keeper: Keeper,
    called: keras.callbacks.CallbackList,
) -> None:
    """End the epoch that was left in its middle, if one was, and do those that remain."""
    steps, epochs = called.params["steps"], called.params["epochs"]

    def run(until: int) -> None:
        model.fit(
            train_from(keeper.step),
            validation_data=valid_data,
            initial_epoch=keeper.epoch,
            epochs=until,
            steps_per_epoch=steps - keeper.done,
            callbacks=called,
            shuffle=False,
            verbose=0,
        )

    if keeper.done == steps:
        _end_epoch(model, called, keeper, valid_data)
    elif keeper.done:
        model.evaluate(valid_data, steps=1, verbose=0)  # builds the metrics, whose values
        run(keeper.epoch + 1)  # are put back for the rest of the epoch
    if keeper.epoch < epochs and not model.stop_training:
        run(epochs)


def _end_epoch(
    model: keras.Model, called: keras.callbacks.CallbackList, keeper: Keeper, valid_data: Any
) -> None:
    """Do what fit does after an epoch's last step, for an epoch that was left in validation."""
    epoch, logs = keeper.epoch, dict(keeper.logs)
    called.on_train_begin()
    called.on_epoch_begin(epoch)
    values = model.evaluate(valid_data, callbacks=called, return_dict=True, verbose=0)
    called.on_epoch_end(epoch, logs | {f"val_{name}": value for name, value in values.items()})
    called.on_train_end()


def watchers(trainer: Trainer, model: keras.Model) -> list[keras.callbacks.Callback]:
    """The callbacks that act on training itself, as `trainer` asks for them."""
    watch = {
        "monitor": trainer.keras_monitor,
        "mode": trainer.monitor_mode,
        "min_delta": trainer.min_delta,
    }
    found: list[keras.callbacks.Callback] = [BlowUp(trainer.loss_limit)]
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
