"""Keras's own `fit` and `evaluate`: compiled, driven in steps, with the data's errors shown."""

import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from reprise.errors import UserError
from reprise.training.devices import callbacks as of_devices
from reprise.training.devices import for_devices
from reprise.training.state_callback import StateCallback
from reprise.training.trainer import Trainer

DataError = Callable[[], BaseException | None]


def compile_model(
    model: keras.Model,
    optimizer: keras.Optimizer,
    loss: keras.Loss,
    metrics: list[keras.Metric],
    *,
    jit_compile: bool = False,
) -> keras.Model:
    """Compile `model`, its optimizer built over all that will ever be trained; returns the model.

    A float16 policy gets loss scaling, which small gradients need. JAX without XLA would run one
    operation at a time: it is always compiled.
    """
    loss = for_devices(model, loss)
    jit_compile = jit_compile or keras.backend.backend() == "jax"
    if keras.config.dtype_policy().name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=jit_compile)
    build_optimizer(model)
    return model


def fit(
    model: keras.Model,
    train_from: Callable[[int], Any],
    valid_data: Any,
    trainer: Trainer,
    *,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
    state: StateCallback,
    data_error: DataError | None = None,
) -> None:
    """Train until `trainer.epochs` epochs of `steps_per_epoch` steps are done.

    Args:
        model: A compiled model.
        train_from: Returns the endless batches (x, y) from a step on, of any kind that Keras takes.
        valid_data: One pass of batches, read anew at every epoch's end.
        trainer: Settings.
        steps_per_epoch: Batches per epoch.
        callbacks: Called in this order, after those that `trainer` asks for.
        state: Saves the training state, and knows the one to resume from.
        data_error: Returns the error of the data that stopped the feed, if one did.

    Raises:
        UserError: a sample could not be read, or the loss diverged.
        Stopped: training was asked to end, and can be resumed.
    """
    others = [*watchers(trainer, model), *callbacks]
    state.watch(others, steps_per_epoch)
    called = keras.callbacks.CallbackList(
        [*of_devices(), *others, state],
        True,
        model=model,
        epochs=trainer.epochs,
        steps=steps_per_epoch,
    )
    try:
        with data_errors_shown(data_error):
            state.restore()
            while not state.is_over:
                try:
                    _fit_rest(model, train_from, valid_data, state, called)
                    break
                except Diverged as error:
                    _go_back(error, state, trainer)
    finally:
        state.wait()


def score(
    model: keras.Model, data: Any, split: str, data_error: DataError | None = None
) -> dict[str, float]:
    """Evaluate a compiled model on one pass of batches.

    Args:
        model: A compiled model.
        data: One pass of batches (x, y), of any kind that Keras takes.
        split: Name the metrics are filed under.
        data_error: Returns the error of the data that stopped the feed, if one did.

    Returns:
        `{'<split>/<metric>': value}`, the loss among them.
    """
    with data_errors_shown(data_error):
        values = model.evaluate(data, return_dict=True, verbose=0)
    return {f"{split}/{name}": float(value) for name, value in values.items()}


@contextmanager
def data_errors_shown(data_error: DataError | None) -> Iterator[None]:
    """Raise the data's own error instead of the backend's wrapper of it."""
    try:
        yield
    except Exception:
        error = data_error() if data_error else None
        if error is not None:
            raise error from None
        raise


def _fit_rest(
    model: keras.Model,
    train_from: Callable[[int], Any],
    valid_data: Any,
    state: StateCallback,
    called: keras.callbacks.CallbackList,
) -> None:
    """End the epoch that was left in its middle, if one was, and do those that remain."""
    steps, epochs = called.params["steps"], called.params["epochs"]

    def run(until: int) -> None:
        model.fit(
            train_from(state.step),
            validation_data=valid_data,
            initial_epoch=state.epoch,
            epochs=until,
            steps_per_epoch=steps - state.done,
            callbacks=called,
            shuffle=False,
            verbose=0,
        )

    was_left = state.done > 0
    if state.done == steps:
        _end_epoch(model, called, state, valid_data)
    elif state.done:
        model.evaluate(valid_data, steps=1, verbose=0)  # builds the metrics, whose values
        run(state.epoch + 1)  # are restored for the rest of the epoch
    if state.epoch < epochs and not model.stop_training:
        if was_left:
            state.reload()
        run(epochs)


def _end_epoch(
    model: keras.Model,
    called: keras.callbacks.CallbackList,
    state: StateCallback,
    valid_data: Any,
) -> None:
    """Do what fit does after an epoch's last step, for an epoch that was left in validation."""
    epoch, logs = state.epoch, dict(state.logs)
    called.on_train_begin()
    called.on_epoch_begin(epoch)
    values = model.evaluate(valid_data, callbacks=called, return_dict=True, verbose=0)
    called.on_epoch_end(epoch, logs | {f"val_{name}": value for name, value in values.items()})
    called.on_train_end()


def _go_back(error: "Diverged", state: StateCallback, trainer: Trainer) -> None:
    """Go back to the newest state and lower the learning rate, as often as `trainer` allows.

    Raises:
        Diverged: that was often enough.
    """
    if state.recoveries >= trainer.recoveries or not state.go_back(trainer.reduce_lr_factor):
        raise error
    rate = float(keras.ops.convert_to_numpy(state.model.optimizer.learning_rate))
    where = f"back to step {state.step}, with a learning rate of {rate:g}"
    print(f"note: {error.args[0]}; {where}", file=sys.stderr, flush=True)


def watchers(trainer: Trainer, model: keras.Model) -> list[keras.callbacks.Callback]:
    """The callbacks that act on training itself, as `trainer` asks for them."""
    watch = {
        "monitor": trainer.keras_monitor,
        "mode": trainer.monitor_mode,
        "min_delta": trainer.min_delta,
    }
    found: list[keras.callbacks.Callback] = [LossGuard(trainer.loss_limit)]
    if getattr(model, "release_epoch", None) is not None:
        found.append(Unfreeze(model.release_epoch))
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


class Diverged(UserError):
    """The loss is not finite or too large, or a weight is not finite; going back may help."""


class LossGuard(keras.callbacks.Callback):
    """End training before its state is saved, once it has diverged.

    Args:
        limit: Largest mean loss of an epoch so far; None: any that is finite.
    """

    def __init__(self, limit: float | None) -> None:
        super().__init__()
        self._limit = math.inf if limit is None else limit
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remember which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the mean loss of the epoch so far, which one bad step is enough to spoil.

        Raises:
            Diverged: it is not finite, or above the limit.
        """
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss) and loss <= self._limit:
            return
        limit = "" if self._limit == math.inf else f" of at most {self._limit:g}"
        what = f"the loss is {loss:g} in epoch {self._epoch + 1}, step {batch + 1}"
        raise _diverged(what, f"a finite number{limit}", f"{loss:g}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the weights: a relu makes 0 of NaN on a CPU, and the loss stays finite.

        Raises:
            Diverged: a weight is not finite.
        """
        for variable in self.model.trainable_variables:
            if not keras.ops.all(keras.ops.isfinite(variable)):
                what = f"weights of {variable.path} are not finite after epoch {epoch + 1}"
                raise _diverged(what, "finite numbers", "NaN or infinity, and a finite loss")


def _diverged(what: str, expected: str, received: str) -> Diverged:
    return Diverged(
        what,
        expected,
        received,
        "look at the inputs (make check-data), lower optimizer.learning_rate, set "
        "optimizer.clipnorm=1, or let it\ngo back and lower the rate by itself: "
        "trainer.recoveries=3; the last epoch's state is kept, go on from it with\n"
        'make resume run=ID args="optimizer.learning_rate=… force=true"',
    )


class Unfreeze(keras.callbacks.Callback):
    """Make every layer trainable from one epoch on.

    The epoch alone decides, so a run that is resumed before or after it ends as it would have.

    Args:
        epoch: First epoch, counted from 0, in which everything is trained.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Unfreeze the layers, once, and have Keras trace the training step anew."""
        frozen = list(_frozen(self.model)) if epoch >= self.epoch else []
        for layer in frozen:
            layer.trainable = True
        if frozen:
            self.model.make_train_function(force=True)
            # True of an optimizer that was not built for all layers; ours was.
            warnings.filterwarnings("ignore", message="A layer's `trainable` state has changed")


def build_optimizer(model: keras.Model) -> None:
    """Build the optimizer over all that the run will ever train, frozen layers included.

    Its slots then exist from the first step, in an order that unfreezing does not change: a
    checkpoint written before it fits a model after it.

    Args:
        model: Compiled; where it has a `release_epoch` that is not None, its frozen layers are
            trained from that epoch on.
    """
    frozen = list(_frozen(model)) if getattr(model, "release_epoch", None) is not None else []
    for layer in frozen:
        layer.trainable = True
    model.optimizer.build(model.trainable_variables)
    for layer in frozen:
        layer.trainable = False
    if frozen and keras.backend.backend() == "jax":
        _accept_part(getattr(model.optimizer, "inner_optimizer", model.optimizer))


def _accept_part(optimizer: keras.Optimizer) -> None:
    """Have an optimizer take the gradients of a part of the variables that it was built for.

    JAX's refuses them by their number. This is its `stateless_apply` for what is trainable.
    """
    built_for = list(optimizer._trainable_variables)

    def apply(slots: Any, gradients: Any, values: Any) -> tuple[list[Any], list[Any]]:
        trained = [variable for variable in built_for if variable.trainable]
        mapping = [
            *zip(trained, values, strict=True),
            *zip(optimizer.variables, slots, strict=True),
        ]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            optimizer.apply(gradients, trained)
        now = scope.get_current_value
        return [now(one) for one in trained], [now(one) for one in optimizer.variables]

    optimizer.stateless_apply = apply


def _frozen(model: keras.Model) -> Iterator[keras.Layer]:
    # One by one: `model.trainable = True` changes no layer where the model is trainable already.
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _frozen(layer)
        elif not layer.trainable:
            yield layer
