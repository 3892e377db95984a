"""Training of a frozen encoder from some epoch on, without the optimizer losing its memory."""

import warnings
from collections.abc import Iterator

import keras


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


def _frozen(model: keras.Model) -> Iterator[keras.Layer]:
    # One by one: `model.trainable = True` changes no layer where the model is trainable already.
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _frozen(layer)
        elif not layer.trainable:
            yield layer
