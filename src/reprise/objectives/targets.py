"""What the objectives ask of the dataset's target: its kind, and names of its classes' scores."""

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
    """Refuse a target that the objective does not fit.

    Raises:
        UserError: names the objective that does.
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


def score_names(kind: str, classes: Sequence[str]) -> list[str]:
    """Names for the scores of single classes, `<kind>_<class>`, all different.

    What MLflow refuses in a metric's name (all but letters, digits and `_`, `-`, `.`, space) is
    replaced by `_`.
    """
    cleaned = [re.sub(r"[^\w.\- ]", "_", name) for name in classes]
    return [
        f"{kind}_{name}" if cleaned.count(name) == 1 else f"{kind}_{name}_{at}"
        for at, name in enumerate(cleaned)
    ]
