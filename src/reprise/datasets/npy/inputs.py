"""What inputs an array holds: the spec of a row, its values as a model gets them, its picture."""

import numpy as np

from reprise.datasets.npy.rows import Rows
from reprise.errors import UserError
from reprise.spec import Spec

_BY_RANGE = ("uint8", "uint16")  # as pictures have them: scaled by the dtype's range


def input_spec(rows: Rows) -> Spec:
    """The spec of a sample: a grey picture gets a last axis, float64 and bool another dtype.

    Raises:
        UserError: the rows are no numbers, or have neither one, two nor three axes.
    """
    if rows.dtype.kind not in "biuf" or len(rows.shape) not in (1, 2, 3) or 0 in rows.shape:
        raise UserError(
            f"dataset.x: {rows.files[0].name} holds no inputs",
            "numbers, shape (samples, height, width), (samples, height, width, channels) or "
            "(samples, features)",
            f"{rows.dtype}, shape {rows.files[0].shape}",
            "reshape or convert the array, and save it again",
        )
    shape = (*rows.shape, 1) if len(rows.shape) == 2 else rows.shape
    dtype = rows.dtype.newbyteorder("=")
    if dtype.kind == "b":
        dtype = np.dtype("uint8")
    elif dtype.kind == "f" and dtype.itemsize > 4:
        dtype = np.dtype("float32")
    return Spec(shape, dtype.name)


def is_learnable(spec: Spec) -> bool:
    """Whether inputs are scaled by what the train split teaches, and not by their dtype."""
    return spec.dtype not in _BY_RANGE


def not_finite(rows: Rows, indices: np.ndarray) -> list[str]:
    """One line for each of the rows at ascending `indices` that has NaN or infinity in it."""
    if rows.dtype.kind != "f":
        return []
    return [
        f"{rows.name(int(at))}: expected finite numbers; received NaN or infinity"
        for some, values in rows.chunks(indices)
        for at in some[~np.isfinite(values.reshape(len(values), -1)).all(axis=1)]
    ]


def require_pictures(spec: Spec) -> None:
    """Refuse to augment what is no picture.

    Raises:
        UserError: the inputs are not uint8 or uint16 with height, width and up to four channels.
    """
    if spec.dtype not in _BY_RANGE or len(spec.shape) != 3 or spec.shape[2] > 4:
        raise UserError(
            "dataset.augment changes pictures, and dataset.x holds none",
            "uint8 or uint16, shape (samples, height, width[, channels]), at most 4 channels",
            f"{spec.dtype}, a sample's shape {spec.shape}",
            "set dataset.augment=null",
        )
