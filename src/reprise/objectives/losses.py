"""Segmentation losses on class ids, in which ignored pixels count nowhere."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from reprise.objectives.pixels import Pixels, Tensor

SMOOTH = 1e-5  # only against 0 / 0; the value of segmentation-models
FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0


def cross_entropy(pixels: Pixels) -> Tensor:
    """Mean of -log p(class of the pixel).

    Keras's own functions find the logits behind a sigmoid or softmax, so that a pixel that is
    wrong with certainty still has a gradient.
    """
    if pixels.is_binary:
        losses = ops.binary_crossentropy(pixels.truth, pixels.probabilities)[..., 0]
    else:
        losses = ops.sparse_categorical_crossentropy(pixels.ids, pixels.probabilities)
    return pixels.mean(losses)


def focal(pixels: Pixels) -> Tensor:
    """Mean of -alpha (1 - p)^gamma log p, p being the probability of the pixel's class.

    Source: Lin et al. (2017), with their alpha 0.25 (for no: 0.75) and gamma 2.
    """
    tiny = keras.config.epsilon()
    p = ops.clip(pixels.probabilities, tiny, 1 - tiny)
    losses = -pixels.truth * FOCAL_ALPHA * (1 - p) ** FOCAL_GAMMA * ops.log(p)
    if pixels.is_binary:
        losses -= (1 - pixels.truth) * (1 - FOCAL_ALPHA) * p**FOCAL_GAMMA * ops.log(1 - p)
    return pixels.mean(ops.sum(losses, axis=-1))


def dice(pixels: Pixels) -> Tensor:
    """1 - F1 score of the probabilities, mean over classes. Source: Milletari et al. (2016)."""
    both, either = pixels.overlap()
    return pixels.mean_over_classes(1 - (2 * both + SMOOTH) / (either + SMOOTH))


def jaccard(pixels: Pixels) -> Tensor:
    """1 - intersection over union of the probabilities, mean over classes."""
    both, either = pixels.overlap()
    return pixels.mean_over_classes(1 - (both + SMOOTH) / (either - both + SMOOTH))


def lovasz(pixels: Pixels) -> Tensor:
    """Lovász extension of 1 - intersection over union, mean over classes.

    Source: Berman, Triki & Blaschko (2018), Lovász-Softmax.
    """
    channels = pixels.truth.shape[-1]
    valid = ops.reshape(pixels.valid, (-1, 1))
    truth = ops.reshape(pixels.truth, (-1, channels)) * valid
    errors = ops.abs(truth - ops.reshape(pixels.probabilities, (-1, channels))) * valid
    order = ops.argsort(-errors, axis=0)
    sorted_truth = ops.take_along_axis(truth, order, axis=0)
    area = ops.sum(truth, axis=0)
    missed = ops.cumsum(sorted_truth, axis=0)
    wrong = ops.cumsum(1 - sorted_truth, axis=0)
    jaccard_loss = 1 - (area - missed) / (area + wrong + SMOOTH)
    steps = ops.concatenate([jaccard_loss[:1], jaccard_loss[1:] - jaccard_loss[:-1]])
    return pixels.mean_over_classes(
        ops.sum(ops.take_along_axis(errors, order, axis=0) * steps, axis=0)
    )


KINDS: dict[str, tuple[Callable[[Pixels], Tensor], ...]] = {
    "cross_entropy": (cross_entropy,),
    "cross_entropy_dice": (cross_entropy, dice),
    "dice": (dice,),
    "focal": (focal,),
    "jaccard": (jaccard,),
    "lovasz": (lovasz,),
}


@keras.saving.register_keras_serializable(package="reprise")
class SegmentationLoss(keras.Loss):
    """A loss, or the sum of two, over all pixels of a batch together.

    A class without a pixel in the batch counts for nothing in the overlap losses (dice, jaccard,
    lovasz), and a batch without a pixel to count has loss 0.

    Args:
        kind: A key of `KINDS`.
        class_weights: One weight per class, two (no, yes) for a yes/no target; only their ratios
            matter. None: all alike.
        ignore: Target id that counts nowhere, or None.
    """

    def __init__(
        self,
        kind: str,
        class_weights: Sequence[float] | None = None,
        ignore: int | None = None,
        name: str = "segmentation_loss",
    ) -> None:
        # float32 whatever the model computes in: sums over a batch's pixels need it.
        super().__init__(name=name, reduction="sum", dtype="float32")
        self.kind = kind
        self.class_weights = None if class_weights is None else list(class_weights)
        self.ignore = ignore

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compare class ids with probabilities.

        Args:
            y_true: Class ids, shape (batch, height, width, 1), any dtype.
            y_pred: Probabilities, shape (batch, height, width, classes), 0 to 1; one channel means
                the probability of yes.

        Returns:
            Scalar, float32, at least 0.
        """
        ids = ops.cast(y_true, "int32")
        valid = ops.ones_like(ids) if self.ignore is None else ops.cast(ids != self.ignore, "int32")
        ids = ids * valid
        weights = self._weights(max(2, y_pred.shape[-1]))
        pixels = Pixels(ids[..., 0], y_pred, ops.cast(valid[..., 0], "float32"), weights)
        return sum((loss(pixels) for loss in KINDS[self.kind]), ops.zeros(()))

    def _weights(self, count: int) -> Tensor:
        if self.class_weights is None:
            return ops.ones((count,))
        mean = sum(self.class_weights) / len(self.class_weights)
        return ops.convert_to_tensor([weight / mean for weight in self.class_weights], "float32")

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            "kind": self.kind,
            "class_weights": self.class_weights,
            "ignore": self.ignore,
            "name": self.name,
        }
