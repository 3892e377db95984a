"""A batch of masks and predictions, and what every segmentation loss asks of it."""

from typing import Any

import keras
from keras import ops

Tensor = Any  # of whichever backend Keras runs on


class Pixels:
    """One batch as the losses see it.

    Args:
        ids: Class of every pixel, shape (batch, height, width), int32; 0 where ignored.
        probabilities: Shape (batch, height, width, channels).
        valid: 1 where a pixel counts, else 0, shape (batch, height, width), float32.
        weights: One per class, two for a yes/no target.
    """

    def __init__(self, ids: Tensor, probabilities: Tensor, valid: Tensor, weights: Tensor) -> None:
        self.ids, self.valid, self.probabilities = ids, valid, probabilities
        self.is_binary = probabilities.shape[-1] == 1
        self.truth = (
            ops.cast(ids[..., None], "float32")
            if self.is_binary
            else ops.one_hot(ids, probabilities.shape[-1], dtype="float32")
        )
        self.pixel_weight = ops.take(weights, ids) * valid
        # Of a yes/no target only the yes is scored by overlap.
        self.class_weight = weights[1:] if self.is_binary else weights

    def mean(self, per_pixel: Tensor) -> Tensor:
        """Mean over the pixels that count, each weighted by its class; scalar."""
        count = ops.maximum(ops.sum(self.valid), 1.0)
        return ops.sum(per_pixel * self.pixel_weight) / count

    def mean_over_classes(self, per_class: Tensor) -> Tensor:
        """Weighted mean over the classes that this batch has; 0 where it has none; scalar."""
        pixels = ops.sum(self.truth * self.valid[..., None], axis=(0, 1, 2))
        weight = self.class_weight * ops.cast(pixels > 0, "float32")
        return ops.sum(weight * per_class) / ops.maximum(ops.sum(weight), keras.config.epsilon())

    def overlap(self) -> tuple[Tensor, Tensor]:
        """Per class: probability where the class is, and probability and class areas together."""
        valid = self.valid[..., None]
        both = ops.sum(self.truth * self.probabilities * valid, axis=(0, 1, 2))
        either = ops.sum((self.truth + self.probabilities) * valid, axis=(0, 1, 2))
        return both, either
