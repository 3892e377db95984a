"""Scores of several labels per sample over a whole split, so that no batch size changes them."""

from typing import Any, Literal

import keras
from keras import ops

from reprise.objectives.pixels import Tensor


@keras.saving.register_keras_serializable(package="reprise")
class LabelScore(keras.Metric):
    """Score of several yes/no labels over a whole split, from counts, so no batch size changes it.

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
        # float64 counts exactly to 2^53
        super().__init__(name=name or kind, dtype="float64")
        self.kind, self.num_labels, self.label_id = kind, num_labels, label_id
        self.threshold = threshold
        # one row per label: yes in truth and answer, in truth, in the answer, the two agree
        self.counts = self.add_weight((num_labels, 4), "zeros", dtype=self.dtype, name="counts")
        self.samples = self.add_weight((2,), "zeros", dtype=self.dtype, name="samples")

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
        present = ops.cast(truths > 0, self.dtype)
        return ops.sum(scores * present) / ops.maximum(ops.sum(present), 1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            "kind": self.kind,
            "num_labels": self.num_labels,
            "label_id": self.label_id,
            "threshold": self.threshold,
            "name": self.name,
        }
