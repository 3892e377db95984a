"""Loss and scores of values of any shape, float64 where sums go over a whole split."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from reprise.objectives.pixels import Tensor


@keras.saving.register_keras_serializable(package="reprise")
class ValueLoss(keras.Loss):
    """Mean over all values of the error, in units of `scale`.

    Args:
        kind: `mse`, `mae` or `huber` (with delta 1: one scale).
        scale: One number per entry of the last axis, or one for all; empty: 1.
    """

    def __init__(
        self,
        kind: Literal["mse", "mae", "huber"],
        scale: Sequence[float] = (),
        name: str = "value_loss",
    ) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size", dtype="float32")
        self.kind, self.scale = kind, list(scale)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compare two arrays of one shape, (batch, …), in the user's unit.

        Returns:
            Shape (batch,), float32, at least 0.
        """
        error = y_pred - ops.cast(y_true, "float32")
        if self.scale:
            error = error / ops.convert_to_tensor(self.scale, "float32")
        size = ops.abs(error)
        if self.kind == "mae":
            losses = size
        elif self.kind == "mse":
            losses = ops.square(error)
        else:  # Huber (1964)
            losses = ops.where(size <= 1, 0.5 * ops.square(error), size - 0.5)
        return ops.mean(ops.reshape(losses, (ops.shape(losses)[0], -1)), axis=1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"kind": self.kind, "scale": self.scale, "name": self.name}


@keras.saving.register_keras_serializable(package="reprise")
class ValueScore(keras.Metric):
    """Error or explained variance over a whole split, from sums, so no batch size changes it.

    Args:
        kind: `mae` and `rmse` over all values, in the user's unit. `r2` is 1 - (squared error) /
            (variance of the truth), for each entry of the last axis over all else, then their
            mean: 1 is perfect, 0 no better than the mean. An entry whose truth does not vary
            has 1 where it is met exactly, else 0.
        channels: Length of the last axis; 1 for a single value.
    """

    def __init__(
        self, kind: Literal["mae", "rmse", "r2"], channels: int, name: str | None = None
    ) -> None:
        super().__init__(name=name or kind, dtype="float64")
        self.kind, self.channels = kind, channels
        # rows: count, |error|, error², truth, truth²
        self.sums = self.add_weight((5, channels), "zeros", dtype=self.dtype, name="sums")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: None = None) -> None:
        """Add a batch: two arrays of one shape, (batch, …); no sample weights."""
        truth = ops.reshape(ops.cast(y_true, self.dtype), (-1, self.channels))
        error = ops.reshape(ops.cast(y_pred, self.dtype), (-1, self.channels)) - truth
        parts = (ops.ones_like(truth), ops.abs(error), error**2, truth, truth**2)
        self.sums.assign_add(ops.stack([ops.sum(part, axis=0) for part in parts]))

    def result(self) -> Tensor:
        """Score of all that was added: scalar, float64; 0 where nothing was."""
        count, absolute, squared, truth, truth_squared = (self.sums[row] for row in range(5))
        if self.kind == "mae":
            return ops.sum(absolute) / ops.maximum(ops.sum(count), 1)
        if self.kind == "rmse":
            return ops.sqrt(ops.sum(squared) / ops.maximum(ops.sum(count), 1))
        varies = truth_squared - truth**2 / ops.maximum(count, 1)
        flat = ops.cast((squared == 0) & (count > 0), self.dtype)
        explained = 1 - squared / ops.where(varies > 0, varies, 1)
        return ops.mean(ops.where(varies > 0, explained, flat))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"kind": self.kind, "channels": self.channels, "name": self.name}
