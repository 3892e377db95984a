"""Scores of class ids over a whole split, from counts, so that no batch size changes them."""

from typing import Any, Literal

import keras
from keras import ops

from reprise.objectives.pixels import Tensor


@keras.saving.register_keras_serializable(package="reprise")
class ClassScore(keras.Metric):
    """IoU, F1 or accuracy of class ids, of samples or of pixels, as a confusion matrix.

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
        # float64 counts exactly to 2^53 pixels, float32 to no more than 2^24.
        super().__init__(name=name or kind, dtype="float64")
        self.kind, self.num_classes, self.class_id = kind, num_classes, class_id
        self.threshold, self.ignore = threshold, ignore
        size = max(2, num_classes)
        self.confusion = self.add_weight((size, size), "zeros", dtype=self.dtype, name="confusion")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: None = None) -> None:
        """Count a batch.

        Args:
            y_true: Class ids, shape (batch,) or (batch, height, width, 1).
            y_pred: Probabilities, shape (batch, classes) or (batch, height, width, classes or 1).
            sample_weight: Not supported.
        """
        size = max(2, self.num_classes)
        truth = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        guess = (
            ops.reshape(ops.cast(y_pred > self.threshold, "int32"), (-1,))
            if self.num_classes == 1
            else ops.reshape(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), (-1,))
        )
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
        if self.num_classes == 1:
            return scores[1]
        present = ops.cast(truths > 0, self.dtype)
        return ops.sum(scores * present) / ops.maximum(ops.sum(present), 1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            "kind": self.kind,
            "num_classes": self.num_classes,
            "class_id": self.class_id,
            "threshold": self.threshold,
            "ignore": self.ignore,
            "name": self.name,
        }
