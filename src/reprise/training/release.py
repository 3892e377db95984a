"""Lets a frozen encoder go after some epochs, without the optimizer losing its memory."""

import warnings
from collections.abc import Iterator

import keras


class Release(keras.callbacks.Callback):
    """Makes every layer trainable from one epoch on.

    The epoch alone decides, so a run that is resumed before or after it stands where it would have
    stood.

    Args:
        epoch: First epoch, counted from 0, in which everything is trained.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Release what is frozen, once, and have Keras trace the training step anew."""
        frozen = list(_frozen(self.model)) if epoch >= self.epoch else []
        for layer in frozen:
            layer.trainable = True
        if frozen:
            self.model.make_train_function(force=True)
            # True of an optimizer that was not built for all; ours was.
            warnings.filterwarnings("ignore", message="A layer's `trainable` state has changed")


def build_for_all(model: keras.Model) -> None:
    """Build the optimizer over all that the run will ever train, what is released later included.

    Its slots then exist from the first step, in an order that no release changes: a checkpoint
    written before fits a model that stands after it.

    Args:
        model: Compiled; `release_epoch`, where it has one that is not None, says that its frozen
            layers will be let go.
    """
    frozen = list(_frozen(model)) if getattr(model, "release_epoch", None) is not None else []
    for layer in frozen:
        layer.trainable = True
    model.optimizer.build(model.trainable_variables)
    for layer in frozen:
        layer.trainable = False


def _frozen(model: keras.Model) -> Iterator[keras.Layer]:
    # One by one: `model.trainable = True` changes no layer where the model says so already.
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _frozen(layer)
        elif not layer.trainable:
            yield layer
