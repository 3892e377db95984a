"""Losses: of masks of class ids, of one class or several labels per sample, and of values."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal

import keras
from keras import activations, ops

Tensor = Any  # of the backend that Keras runs on

SMOOTH = 1e-5  # keeps 0 / 0 defined; the value of segmentation-models
FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0
# TensorFlow's tensors remember what a softmax or sigmoid made them from, and Keras's cross entropy
# finds it there, so that what is wrong with certainty has a gradient. JAX's cannot: Keras clips the
# probability to 1e-7, where the gradient is 0. There `keep_logits` keeps them.
_latest: list[Tensor] = [None, None]  # probabilities and logits of the call under way


class Configured:
    """Mixin for Keras objects that keep each constructor argument in an attribute of its name."""

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


class Pixels:
    """One batch of masks and predictions.

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
        """Per class: intersection of truth and probability, and the sum of both areas."""
        valid = self.valid[..., None]
        both = ops.sum(self.truth * self.probabilities * valid, axis=(0, 1, 2))
        either = ops.sum((self.truth + self.probabilities) * valid, axis=(0, 1, 2))
        return both, either


def cross_entropy(pixels: Pixels) -> Tensor:
    """Mean of -log p(class of the pixel).

    It is computed from the logits behind a sigmoid or softmax, so that a pixel that is wrong with
    certainty still has a gradient.
    """
    if pixels.is_binary:
        losses = ops.binary_crossentropy(pixels.truth, *logits_of(pixels.probabilities))[..., 0]
    else:
        losses = ops.sparse_categorical_crossentropy(pixels.ids, *logits_of(pixels.probabilities))
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
class SegmentationLoss(Configured, keras.Loss):
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


class _SmoothedLoss(Configured, keras.Loss):
    """Constructor that `ClassLoss` and `LabelsLoss` share."""

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        name: str = "loss",
    ) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size", dtype="float32")
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else list(class_weights)


@keras.saving.register_keras_serializable(package="reprise")
class ClassLoss(_SmoothedLoss):
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
        losses = ops.sparse_categorical_crossentropy(ids, *logits_of(y_pred))
        if self.label_smoothing:
            uniform = ops.ones_like(y_pred) / y_pred.shape[-1]
            even = ops.categorical_crossentropy(uniform, *logits_of(y_pred))
            losses = (1 - self.label_smoothing) * losses + self.label_smoothing * even
        if self.class_weights is not None:
            losses *= ops.take(ops.convert_to_tensor(self.class_weights, "float32"), ids)
        return losses


@keras.saving.register_keras_serializable(package="reprise")
class LabelsLoss(_SmoothedLoss):
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
        losses = ops.binary_crossentropy(truth, *logits_of(y_pred))
        if self.class_weights is not None:
            losses *= ops.convert_to_tensor(self.class_weights, "float32")
        return ops.mean(losses, axis=-1)


@keras.saving.register_keras_serializable(package="reprise")
class ValueLoss(Configured, keras.Loss):
    """Mean over all values of the error, in units of `scale`.

    Keras's own losses do not divide by a scale, and to divide truth and prediction before they are
    subtracted would lose the digits of large values that differ little.

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


def keep_logits(model: keras.Model) -> None:
    """Have the model's last activation keep the logits of its latest call, on JAX.

    Args:
        model: A functional one; its configuration and its file stay as they are.
    """
    layer: Any = model
    while isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        layer = layer.outputs[0]._keras_history.operation
    activation = getattr(layer, "activation", None)
    if keras.backend.backend() == "jax" and activation in (
        activations.softmax,
        activations.sigmoid,
    ):
        layer.activation = _keeping(activation)


def _keeping(activation: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    @wraps(activation)  # whose name Keras saves
    def keeping(logits: Tensor) -> Tensor:
        _latest[:] = activation(logits), logits
        return _latest[0]

    return keeping


def logits_of(probabilities: Tensor) -> tuple[Tensor, bool]:
    """What a cross entropy of `keras.ops` takes: logits and True where they were kept."""
    if _latest[0] is not None and _latest[0] is probabilities:
        return _latest[1], True
    return probabilities, False
