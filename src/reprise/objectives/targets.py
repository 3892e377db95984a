"""Checks and names that all objectives share: target kinds, class weights, score names."""

import math
import re
from collections.abc import Collection, Sequence

from reprise.errors import UserError
from reprise.spec import Spec

NAMES = {
    "class": "one class per sample",
    "labels": "several labels per sample",
    "mask": "masks of class ids",
    "values": "values, without classes",
}
OBJECTIVES = {
    "class": "classification",
    "labels": "classification",
    "mask": "segmentation",
    "values": "regression",
}


def require_kind(objective: str, spec: Spec, kinds: Collection[str]) -> None:
    """Check that the objective fits the target.

    Raises:
        UserError: it does not; the message names the objective that does.
    """
    if spec.kind not in kinds:
        raise UserError(
            f"objective={objective} does not fit the dataset's target",
            expected=" or ".join(NAMES[kind] for kind in kinds),
            received=f"{NAMES[spec.kind]}: shape {spec.shape}, {len(spec.classes)} classes",
            remedy=f"set objective={OBJECTIVES[spec.kind]}, or choose another dataset",
        )
    if spec.ignore is not None and spec.kind != "mask":
        raise UserError(
            f"objective={objective} leaves no sample out",
            expected="a target without a value to ignore; only masks have one",
            received=f"ignore {spec.ignore}",
            remedy="leave such samples out of the dataset",
        )


def require_weights(class_weights: Sequence[float], classes: Sequence[str]) -> None:
    """Check that there is one finite weight per class.

    Raises:
        UserError: there is not; the message lists the classes.
    """
    if len(class_weights) != len(classes) or not math.isfinite(sum(class_weights)):
        raise UserError(
            "objective.class_weights does not fit the dataset's classes",
            expected=f"{len(classes)} weights, for {', '.join(classes)}",
            received=str(class_weights),
            remedy="give one weight per class, or objective.class_weights=null",
        )


def score_names(kind: str, classes: Sequence[str]) -> list[str]:
    """Names for the scores of single classes, `<kind>_<class>`, all different.

    Characters that MLflow refuses in a metric's name (all but letters, digits and `_`, `-`, `.`,
    space) are replaced by `_`.
    """
    cleaned = [re.sub(r"[^\w.\- ]", "_", name) for name in classes]
    return [
        f"{kind}_{name}" if cleaned.count(name) == 1 else f"{kind}_{name}_{at}"
        for at, name in enumerate(cleaned)
    ]
