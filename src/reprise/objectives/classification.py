"""Loss and metrics of a classification: one class per sample, or several labels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Gt, Interval

from reprise.errors import UserError
from reprise.objectives.targets import require_kind, require_weights, score_names
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras

MOST_SHOWN = 30  # with more classes nobody reads a score of each
TOP_5_FROM = 11  # classes


def build(
    target_spec: Spec,
    *,
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
    class_weights: Literal["balanced"] | list[Annotated[float, Gt(0)]] | None = None,
    threshold: Annotated[float, Interval(gt=0, lt=1)] = 0.5,
) -> "tuple[keras.Loss, list[keras.Metric]]":
    """Build the loss and the metrics for a target of classes.

    Args:
        target_spec: One class per sample, or several labels.
        label_smoothing: Share of the truth that is spread evenly over all classes (of a label:
            over yes and no).
        class_weights: Factors on the loss, one per class or label. 'balanced': in inverse
            proportion to the training samples, so that the mean over these is 1.
        threshold: Several labels: least probability, exclusive, of a yes.

    Returns:
        One class: cross entropy, and `accuracy`, `f1` (mean over classes), for more than 10
        classes `top5`. Several labels: binary cross entropy, and `accuracy` (of all single
        answers), `exact` (samples with every label right), `f1` (mean over labels). Up to 30
        classes have their own `f1_<class>`.

    Raises:
        UserError: the target is a mask or values, or `class_weights` does not fit it.
    """
    import keras

    from reprise.objectives.losses import ClassLoss, LabelsLoss
    from reprise.objectives.metrics import ClassScore, LabelScore

    require_kind("classification", target_spec, ("class", "labels"))
    classes, weights = target_spec.classes, _weights(target_spec, class_weights)
    count = len(classes)
    shown = list(enumerate(score_names("f1", classes))) if count <= MOST_SHOWN else []
    metrics: list[keras.Metric]
    if target_spec.kind == "labels":
        metrics = [LabelScore(kind, count, None, threshold) for kind in ("accuracy", "exact", "f1")]
        metrics += [LabelScore("f1", count, at, threshold, name=name) for at, name in shown]
        return LabelsLoss(label_smoothing, weights), metrics
    metrics = [ClassScore(kind, count) for kind in ("accuracy", "f1")]
    if count >= TOP_5_FROM:
        metrics.append(keras.metrics.SparseTopKCategoricalAccuracy(5, name="top5"))
    metrics += [ClassScore("f1", count, at, name=name) for at, name in shown]
    return ClassLoss(label_smoothing, weights), metrics


def _weights(
    spec: Spec, class_weights: Literal["balanced"] | Sequence[float] | None
) -> list[float] | None:
    if class_weights is None:
        return None
    if class_weights == "balanced":
        return balanced(spec)
    require_weights(class_weights, spec.classes)
    return [float(weight) for weight in class_weights]


def balanced(spec: Spec) -> list[float]:
    """Weight of each class: n / (k * count), where k classes share n training samples.

    A class without a training sample has weight 1: it plays no part in training, and its samples
    in a validation split still count.

    Source: King & Zeng (2001), as scikit-learn's `compute_class_weight`.
    """
    if not any(spec.counts):
        raise UserError(
            "objective.class_weights=balanced needs to know how often each class occurs",
            expected="a dataset that counts its classes in `learn`",
            received="no counts",
            remedy="give one weight per class, or objective.class_weights=null",
        )
    present = sum(count > 0 for count in spec.counts)
    total = sum(spec.counts)
    return [total / (present * count) if count else 1.0 for count in spec.counts]
