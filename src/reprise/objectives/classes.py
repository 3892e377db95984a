"""Losses for one class or several labels per sample."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from reprise.objectives.pixels import Tensor


class _WeightedLoss(keras.Loss):
    """What both losses keep: see their arguments."""

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        name: str = "loss",
    ) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size", dtype="float32")
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else list(class_weights)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            "label_smoothing": self.label_smoothing,
            "class_weights": self.class_weights,
            "name": self.name,
        }


@keras.saving.register_keras_serializable(package="reprise")
class ClassLoss(_WeightedLoss):
    """Mean over samples of -log p(class), times the weight of the class.

    Args:
        label_smoothing: Share of the truth that is spread evenly over all classes.
        class_weights: A factor per class; None: all 1.
    """

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compare class ids, shape (batch,), with probabilities, shape (batch, classes).

        Returns:
            Shape (batch,), float32, at least 0.
        """
        ids = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        losses = ops.sparse_categorical_crossentropy(ids, y_pred)
        if self.label_smoothing:
            count = y_pred.shape[-1]
            everything = ops.ones_like(y_pred) / count
            even = ops.categorical_crossentropy(everything, y_pred)
            losses = (1 - self.label_smoothing) * losses + self.label_smoothing * even
        if self.class_weights is not None:
            losses *= ops.take(ops.convert_to_tensor(self.class_weights, "float32"), ids)
        return losses


@keras.saving.register_keras_serializable(package="reprise")
class LabelsLoss(_WeightedLoss):
    """Mean over samples and labels of -log p(answer), times the weight of the label.

    Args:
        label_smoothing: Share of the truth that is spread evenly over yes and no.
        class_weights: A factor per label, on its yes and its no; None: all 1.
    """

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compare labels, 0 or 1, with probabilities; both (batch, labels).

        Returns:
            Shape (batch,), float32, at least 0.
        """
        truth = ops.cast(y_true, "float32")
        truth = truth * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        losses = ops.binary_crossentropy(truth, y_pred)
        if self.class_weights is not None:
            losses *= ops.convert_to_tensor(self.class_weights, "float32")
        return ops.mean(losses, axis=-1)
