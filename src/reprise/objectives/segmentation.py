"""Loss and metrics of a segmentation, chosen by the classes of the dataset's masks."""

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Gt, Interval

from reprise.objectives.targets import require_kind, require_weights, score_names
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras


def build(
    target_spec: Spec,
    *,
    loss: Literal[
        "cross_entropy", "cross_entropy_dice", "dice", "focal", "jaccard", "lovasz"
    ] = "cross_entropy_dice",
    class_weights: list[Annotated[float, Gt(0)]] | None = None,
    threshold: Annotated[float, Interval(gt=0, lt=1)] = 0.5,
) -> "tuple[keras.Loss, list[keras.Metric]]":
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
    from reprise.objectives.losses import SegmentationLoss
    from reprise.objectives.metrics import ClassScore

    names, ignore = target_spec.classes, target_spec.ignore
    require_kind("segmentation", target_spec, ("mask",))
    if class_weights is not None:
        require_weights(class_weights, ("no", *names) if len(names) == 1 else names)
    metrics: list[keras.Metric] = [
        ClassScore(kind, len(names), None, threshold, ignore) for kind in ("iou", "f1", "accuracy")
    ]
    if len(names) > 1:
        metrics += [
            ClassScore(kind, len(names), at, threshold, ignore, name=name)
            for kind in ("iou", "f1")
            for at, name in enumerate(score_names(kind, names))
        ]
    return SegmentationLoss(loss, class_weights, ignore), metrics
