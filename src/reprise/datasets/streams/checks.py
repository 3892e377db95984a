"""Checks what a source yields against its specs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from reprise.errors import UserError
from reprise.spec import Spec


def checked(
    values: Sequence[Any] | np.ndarray, spec: Spec, part: str, place: str, positions: np.ndarray
) -> np.ndarray:
    """Samples as one array of the spec's dtype; floats must be finite.

    Args:
        values: One sample each: an array of the spec's dtype; or numbers or lists of numbers, which
            are converted where only digits after the point of a float are lost. Or an array of
            samples.
        spec: Of one sample.
        part: 'x' or 'y', for the message.
        place: What the user calls the samples, before a number, for the message.
        positions: Their numbers, for the message.

    Returns:
        Array with a leading axis; where the spec has an axis of length None, of shape (samples,)
        and dtype object, with an array for each sample.

    Raises:
        UserError: a sample does not fit.
    """
    if isinstance(values, np.ndarray) and _fits(values, (len(values), *spec.shape), spec):
        arrays: Any = values
    else:
        arrays = [_converted(value, spec.dtype) for value in values]
        for array, value, position in zip(arrays, values, positions, strict=True):
            if array is None or not _fits(array, spec.shape, spec):
                raise UserError(
                    f"{place} {position}: {part} is not what its source announces",
                    f"shape {spec.shape}, {_values(spec)}",
                    shown(value),
                    "make what the source yields and its specs agree",
                )
    if None not in spec.shape:
        return arrays if isinstance(arrays, np.ndarray) else np.stack(arrays)
    rows = np.empty(len(arrays), object)
    for at, array in enumerate(arrays):
        rows[at] = array
    return rows


def fits(value: Any, spec: Spec) -> bool:
    """Whether a value can be one sample's array of this spec."""
    array = _converted(value, spec.dtype)
    return array is not None and _fits(array, spec.shape, spec)


def _converted(value: Any, dtype: str) -> np.ndarray | None:
    if isinstance(value, np.ndarray):
        return value
    try:
        plain = np.asarray(value)
    except ValueError:  # lists of different lengths
        return None
    if plain.dtype.kind not in "biuf":
        return None
    with np.errstate(invalid="ignore"):  # NaN as an integer, which differs from `plain`
        array = plain.astype(dtype)
    is_float = array.dtype.kind == "f"
    return array if is_float or np.array_equal(array, plain) else None


def _fits(array: np.ndarray, shape: tuple[int | None, ...], spec: Spec) -> bool:
    if array.dtype != spec.dtype or array.ndim != len(shape):
        return False
    if any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        return False
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return False
    if spec.kind != "class":
        return True
    if array.ndim == 0:
        return 0 <= int(array) < len(spec.classes) or int(array) == spec.ignore
    return bool(((array >= 0) & (array < len(spec.classes))).all())


def _values(spec: Spec) -> str:
    if spec.kind == "class":
        return f"{spec.dtype}, 0 to {len(spec.classes) - 1}"
    return f"{spec.dtype}, finite" if np.dtype(spec.dtype).kind == "f" else spec.dtype


def shown(value: Any) -> str:
    """A value on one line, for messages."""
    start = f"shape {value.shape}, {value.dtype}: " if isinstance(value, np.ndarray) else ""
    text = " ".join(repr(value).split())
    return start + (text if len(text) <= 80 else text[:79] + "…")
