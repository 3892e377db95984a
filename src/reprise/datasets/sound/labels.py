"""Which annotations are samples of their own, and the targets of their labels."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from reprise.datasets.sound.annotations import Annotations
from reprise.datasets.targets.arrays import Targets
from reprise.datasets.targets.labels import class_targets, label_targets
from reprise.errors import UserError


def samples_of(
    annotations: Annotations, target: Literal["class", "labels"], classes: Sequence[str] | None
) -> tuple[np.ndarray, Targets]:
    """One sample for each stretch of time.

    Args:
        annotations: The rows.
        target: With 'class' a stretch has one row; with 'labels' it may have several.
        classes: Labels in the order of their ids; None for those that occur, sorted.

    Returns:
        For each sample the first of its rows, int64; and the targets of all rows, not of samples.

    Raises:
        UserError: a label is not in `classes`, or one stretch has several classes.
    """
    spans = annotations.rows_by_span()
    if target == "labels":
        labels = [{label} for label in annotations.labels]
        targets = label_targets(labels, classes, annotations.place)
    else:
        targets = class_targets(annotations.labels, classes, annotations.place)
        for name, rows in spans.items():
            if len(rows) > 1:
                raise UserError(
                    f"{name} is annotated twice",
                    "one row, and one class, for each stretch of a recording",
                    " and ".join(
                        f"{annotations.place(row)} ('{annotations.labels[row]}')"
                        for row in rows[:2]
                    ),
                    "take one of them out, or set dataset.target=labels",
                )
    return np.array([rows[0] for rows in spans.values()]), targets
