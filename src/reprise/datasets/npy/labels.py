"""From an array of labels, in any of the forms they come in, to targets."""

from collections.abc import Sequence

import numpy as np

from reprise.datasets.targets.arrays import Targets
from reprise.datasets.targets.labels import (
    Place,
    Target,
    class_targets,
    flag_targets,
    id_targets,
    value_targets,
)
from reprise.errors import UserError

_FORMS = {
    "class": "ids or names, shape (samples,) or (samples, 1); or one 1 in each row of "
    "(samples, classes)",
    "labels": "0 and 1, shape (samples, classes)",
    "value": "numbers, shape (samples,) or (samples, values)",
}


def array_targets(
    y: np.ndarray, target: Target, classes: Sequence[str] | None, place: Place
) -> Targets:
    """Make the targets of the samples.

    Args:
        y: As `_FORMS` says for each target; 0 and 1 and one-hot rows of any dtype.
        target: What `y` says of a sample.
        classes: Names in the order of their ids, or None.
        place: Names a sample.

    Raises:
        UserError: `y` has no such form, or a sample's label is wrong; it is named.
    """
    if target == "class" and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    is_number, ndim = y.dtype.kind in "biuf", y.ndim
    if target == "class" and y.dtype.kind == "U" and ndim == 1:
        return class_targets(y.tolist(), classes, place)
    if target == "class" and y.dtype.kind in "biu" and ndim == 1:
        return id_targets(y.astype(np.int64), classes, place)
    if target == "class" and is_number and ndim == 2:
        return _one_hot(y, classes, place)
    if target == "labels" and is_number and ndim == 2:
        return flag_targets(y, classes, place)
    if target == "value" and is_number and ndim in (1, 2):
        return value_targets(y, place)
    raise UserError(
        f"dataset.y does not fit dataset.target={target}",
        _FORMS[target],
        f"{y.dtype}, shape {y.shape}",
        "set dataset.target=class, labels or value, as the array is; or convert it",
    )


def _one_hot(y: np.ndarray, classes: Sequence[str] | None, place: Place) -> Targets:
    flags = flag_targets(y, classes, place)
    wrong = np.flatnonzero(flags.values.sum(axis=1) != 1)
    if len(wrong):
        at = int(wrong[0])
        raise UserError(
            f"{place(at)}: {flags.values[at].sum()} classes at once",
            "one 1 in each row, for dataset.target=class",
            str(y[at].tolist()),
            "set dataset.target=labels where several may hold, or correct the row",
        )
    return id_targets(flags.values.argmax(axis=1), flags.spec.classes, place)
