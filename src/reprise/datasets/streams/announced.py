"""What a generator yields, held against what it announced."""

from typing import Any

import numpy as np

from reprise.errors import UserError
from reprise.spec import Spec


def as_announced(value: Any, spec: Spec, name: str) -> np.ndarray:
    """An array of the spec's shape and dtype, its floats finite.

    Args:
        value: An array of that dtype; or numbers or lists of numbers, which take it if that loses
            nothing but digits after the point of a float.
        spec: What was announced.
        name: What the user calls it, for the message.

    Raises:
        UserError: it does not fit.
    """
    array = value if isinstance(value, np.ndarray) else _converted(value, spec.dtype)
    if array is None or array.dtype != spec.dtype or not _fits(array, spec):
        raise UserError(
            f"{name} is not what its source announces",
            f"shape {spec.shape}, {_values(spec)}",
            _said(value),
            "make what the source yields and its specs agree",
        )
    return array


def require_announced(block: np.ndarray, spec: Spec, name: str, first: int, part: str) -> None:
    """Refuse many samples of which one does not fit.

    Args:
        block: With a leading axis.
        spec: What was announced of one of them.
        name: What the user calls them, before a number.
        first: Number of the first.
        part: 'x' or 'y'.

    Raises:
        UserError: one does not fit; it is named.
    """
    fits = block.dtype == spec.dtype and block.shape[1:] == spec.shape
    if fits and block.dtype.kind == "f":
        fits = bool(np.isfinite(block).all())
    elif fits and spec.kind == "class":
        fits = bool(((block >= 0) & (block < len(spec.classes))).all())
    if not fits:
        for at, one in enumerate(block):
            as_announced(one, spec, f"{name} {first + at}: {part}")


def _converted(value: Any, dtype: str) -> np.ndarray | None:
    try:
        plain = np.asarray(value)
    except ValueError:  # lists of different lengths
        return None
    if plain.dtype.kind not in "biuf":
        return None
    with np.errstate(invalid="ignore"):  # NaN as an integer, found out below
        array = plain.astype(dtype)
    is_float = array.dtype.kind == "f"
    return array if is_float or np.array_equal(array, plain) else None


def _fits(array: np.ndarray, spec: Spec) -> bool:
    if array.ndim != len(spec.shape):
        return False
    if any(want not in (None, got) for want, got in zip(spec.shape, array.shape, strict=True)):
        return False
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return False
    return spec.kind != "class" or 0 <= int(array) < len(spec.classes) or array == spec.ignore


def _values(spec: Spec) -> str:
    if spec.kind == "class":
        return f"{spec.dtype}, 0 to {len(spec.classes) - 1}"
    return f"{spec.dtype}, finite" if np.dtype(spec.dtype).kind == "f" else spec.dtype


def _said(value: Any) -> str:
    start = f"shape {value.shape}, {value.dtype}: " if isinstance(value, np.ndarray) else ""
    text = " ".join(repr(value).split())
    return start + (text if len(text) <= 80 else text[:79] + "…")
