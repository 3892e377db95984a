"""Loss and metrics of a segmentation, chosen by what the dataset's masks hold."""

import math
from typing import Annotated, Literal

import keras
from annotated_types import Gt, Interval

from reprise.errors import UserError
from reprise.objectives.losses import SegmentationLoss
from reprise.objectives.metrics import ClassScore
from reprise.objectives.targets import require_kind, score_names
from reprise.spec import Spec


def build(
    target_spec: Spec,
    *,
    loss: Literal[
        "cross_entropy", "cross_entropy_dice", "dice", "focal", "jaccard", "lovasz"
    ] = "cross_entropy_dice",
    class_weights: list[Annotated[float, Gt(0)]] | None = None,
    threshold: Annotated[float, Interval(gt=0, lt=1)] = 0.5,
) -> tuple[keras.Loss, list[keras.Metric]]:
    """Build the loss and the metrics for masks of class ids.

    Args:
        target_spec: One class means yes/no; its `ignore` counts in no loss and no metric.
        loss: `cross_entropy_dice` is the sum of both: the first has a gradient everywhere, the
            second does not mind that most pixels are background.
        class_weights: One per class, two (no, yes) for a yes/no target; only their ratios matter.
        threshold: Least probability of a yes; without effect where there are several classes.

    Returns:
        The loss, and the metrics `iou`, `f1` and `accuracy`; for several classes the first two are
        means, and each class has its own `iou_<class>` and `f1_<class>`.

    Raises:
        UserError: the target has no classes, or `class_weights` has another number of them.
    """
    names = target_spec.classes
    require_kind("segmentation", target_spec, ("mask",))
    _check(names, class_weights)
    metrics = [
        ClassScore(kind, len(names), None, threshold, target_spec.ignore)
        for kind in ("iou", "f1", "accuracy")
    ]
    if len(names) > 1:
        metrics += [
            ClassScore(kind, len(names), at, threshold, target_spec.ignore, name=name)
            for kind in ("iou", "f1")
            for at, name in enumerate(score_names(kind, names))
        ]
    return SegmentationLoss(loss, class_weights, target_spec.ignore), metrics


def _check(names: tuple[str, ...], class_weights: list[float] | None) -> None:
    weighted = ("no", names[0]) if len(names) == 1 else names
    if class_weights is not None and (
        len(class_weights) != len(weighted) or not math.isfinite(sum(class_weights))
    ):
        raise UserError(
            "objective.class_weights does not fit the dataset's classes",
            expected=f"{len(weighted)} weights, for {', '.join(weighted)}",
            received=str(class_weights),
            remedy="give one weight per class, or objective.class_weights=null",
        )
