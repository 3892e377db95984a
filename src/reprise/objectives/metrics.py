"""Metrics of a whole split, from float64 counts and sums, so that no batch size changes them.

Keras's own average over batches, count in float32, include classes that the split does not have,
or cannot ignore a value. The variables of these metrics are part of a saved training state.
"""

from typing import Literal

import keras
from keras import ops

from reprise.objectives.losses import Configured, Tensor


class _SplitMetric(Configured, keras.Metric):
    """A metric without sample weights. float64 counts exactly to 2^53, float32 to 2^24."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, dtype="float64")

    def _add_zeros(self, shape: tuple[int, ...], name: str) -> keras.Variable:
        return self.add_weight(shape, "zeros", dtype=self.dtype, name=name)

    def _mean_over_present(self, scores: Tensor, truths: Tensor) -> Tensor:
        """Mean of the scores of classes that occur in the truth; 0 where none does."""
        present = ops.cast(truths > 0, self.dtype)
        return ops.sum(scores * present) / ops.maximum(ops.sum(present), 1)


@keras.saving.register_keras_serializable(package="reprise")
class ClassScore(_SplitMetric):
    """IoU, F1 or accuracy of class ids, of samples or of pixels, from a confusion matrix.

    Every score counts its own matrix, which costs nothing: TensorFlow computes what several of
    them share once per step.

    Args:
        kind: `iou` and `f1` are means over the classes that the split has, or of one class.
        num_classes: 1 means yes/no, of which only the yes is scored.
        class_id: Score this class alone; 0 where the split has none of it.
        threshold: Least probability, exclusive, of a yes.
        ignore: Target id that counts nowhere, or None.
    """

    def __init__(
        self,
        kind: Literal["iou", "f1", "accuracy"],
        num_classes: int,
        class_id: int | None = None,
        threshold: float = 0.5,
        ignore: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name or kind)
        self.kind, self.num_classes, self.class_id = kind, num_classes, class_id
        self.threshold, self.ignore = threshold, ignore
        size = max(2, num_classes)
        self.confusion = self._add_zeros((size, size), "confusion")  # rows: truth

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: None = None) -> None:
        """Count a batch.

        Args:
            y_true: Class ids, shape (batch,) or (batch, height, width, 1).
            y_pred: Probabilities, shape (batch, classes) or (batch, height, width, classes or 1).
            sample_weight: Not supported.
        """
        size = max(2, self.num_classes)
        is_binary = self.num_classes == 1
        guess = y_pred > self.threshold if is_binary else ops.argmax(y_pred, axis=-1)
        guess = ops.reshape(ops.cast(guess, "int32"), (-1,))
        truth = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        cell = truth * size + guess
        if self.ignore is not None:
            cell = ops.where(truth == self.ignore, size * size, cell)  # one past the matrix
        counts = ops.segment_sum(ops.ones_like(cell), cell, num_segments=size * size + 1)
        counts = ops.reshape(counts[:-1], (size, size))
        self.confusion.assign_add(ops.cast(counts, self.dtype))

    def result(self) -> Tensor:
        """Score of all that was counted: scalar, float64, 0 to 1."""
        hits = ops.diagonal(self.confusion)
        truths, guesses = ops.sum(self.confusion, axis=1), ops.sum(self.confusion, axis=0)
        if self.kind == "accuracy":
            return ops.sum(hits) / ops.maximum(ops.sum(truths), 1)
        if self.kind == "iou":
            scores = hits / ops.maximum(truths + guesses - hits, 1)
        else:
            scores = 2 * hits / ops.maximum(truths + guesses, 1)
        if self.class_id is not None:
            return scores[self.class_id]
        return scores[1] if self.num_classes == 1 else self._mean_over_present(scores, truths)


@keras.saving.register_keras_serializable(package="reprise")
class LabelScore(_SplitMetric):
    """Accuracy or F1 of several yes/no labels per sample.

    Args:
        kind: `accuracy` of all single answers, `exact`: share of samples with every label right,
            `f1`: mean over the labels that the split has.
        num_labels: How many.
        label_id: Score the F1 of this label alone; 0 where the split has none of it.
        threshold: Least probability, exclusive, of a yes.
    """

    def __init__(
        self,
        kind: Literal["accuracy", "exact", "f1"],
        num_labels: int,
        label_id: int | None = None,
        threshold: float = 0.5,
        name: str | None = None,
    ) -> None:
        super().__init__(name or kind)
        self.kind, self.num_labels, self.label_id = kind, num_labels, label_id
        self.threshold = threshold
        # columns: yes in truth and answer, in the truth, in the answer, truth and answer agree
        self.counts = self._add_zeros((num_labels, 4), "counts")
        self.samples = self._add_zeros((2,), "samples")  # with every label right, all

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: None = None) -> None:
        """Count a batch.

        Args:
            y_true: 0 or 1, shape (batch, labels).
            y_pred: Probabilities, shape (batch, labels).
            sample_weight: Not supported.
        """
        truth = ops.cast(ops.cast(y_true, "int32") > 0, self.dtype)
        guess = ops.cast(y_pred > self.threshold, self.dtype)
        agree = ops.cast(truth == guess, self.dtype)
        columns = [ops.sum(part, axis=0) for part in (truth * guess, truth, guess, agree)]
        self.counts.assign_add(ops.stack(columns, axis=1))
        right = ops.min(agree, axis=1)
        self.samples.assign_add(ops.stack([ops.sum(right), ops.sum(ops.ones_like(right))]))

    def result(self) -> Tensor:
        """Score of all that was counted: scalar, float64, 0 to 1; 0 where nothing was."""
        samples = ops.maximum(self.samples[1], 1)
        if self.kind == "exact":
            return self.samples[0] / samples
        if self.kind == "accuracy":
            return ops.sum(self.counts[:, 3]) / (samples * self.num_labels)
        hits, truths, guesses = (self.counts[:, at] for at in range(3))
        scores = 2 * hits / ops.maximum(truths + guesses, 1)
        if self.label_id is not None:
            return scores[self.label_id]
        return self._mean_over_present(scores, truths)


@keras.saving.register_keras_serializable(package="reprise")
class ValueScore(_SplitMetric):
    """Error or explained variance of values.

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
        super().__init__(name or kind)
        self.kind, self.channels = kind, channels
        # rows: count, |error|, error², truth, truth²
        self.sums = self._add_zeros((5, channels), "sums")

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
        variance = truth_squared - truth**2 / ops.maximum(count, 1)
        exact = ops.cast((squared == 0) & (count > 0), self.dtype)
        explained = 1 - squared / ops.where(variance > 0, variance, 1)
        return ops.mean(ops.where(variance > 0, explained, exact))
