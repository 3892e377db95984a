"""What float32, in which models compute, keeps of large numbers."""

from typing import NamedTuple

import numpy as np

from reprise.errors import UserError

_UNIFORM = 1e-6  # deviations between neighbouring float32 numbers, at most, that harm nothing
_COARSE = 1e-3  # likewise for measurements, whose last digits are noise
_EXACT = 2**24  # whole numbers below it are float32 numbers
_LARGEST = float(np.finfo(np.float32).max)
_MERGED = 0.01  # part of the different values


class Loss(NamedTuple):
    """What becomes of different values in float32.

    Args:
        before: Number of different values.
        after: Number of different values in float32.
        is_grave: Whether what tells samples apart is lost, and not only the last digits.
    """

    before: int
    after: int
    is_grave: bool


def float32_loss(values: np.ndarray) -> Loss | None:
    """Find out whether float32 merges values that lie far apart for their own spread.

    Args:
        values: Finite numbers, one axis, not empty.

    Returns:
        None where at most one of a hundred values is lost. Whole numbers (ids, times) are told
        apart by their last digit; others are measurements.
    """
    kept = values.astype(np.float32)
    largest = np.abs(kept).max()
    are_integers = values.dtype.kind in "iu"
    if largest < _EXACT if are_integers else np.array_equal(kept, values):
        return None
    spacing, apart = float(np.spacing(largest)), values - values.min()
    if are_integers:
        apart = apart.astype(np.uint64)  # a range of more than int64 has
    deviation = float(apart.std(dtype=np.float64))
    if not is_coarse(largest, deviation):
        return None
    before, after = len(np.unique(values)), len(np.unique(kept))
    if before - after <= _MERGED * before:
        return None
    is_whole = are_integers or bool((values == np.floor(values)).all())
    return Loss(before, after, is_whole or spacing > _COARSE * deviation)


def is_coarse(largest: np.ndarray, deviation: np.ndarray | float) -> np.ndarray:
    """Whether float32 is so coarse that values of this size and spread may merge.

    Args:
        largest: Absolute value, of each column or of one.
        deviation: Standard deviation, likewise.
    """
    return np.spacing(np.asarray(largest, np.float32)) > _UNIFORM * np.asarray(deviation)


def require_apart(values: np.ndarray, what: str, more: str = "") -> str:
    """Refuse numbers that float32 merges, or does not hold.

    Args:
        values: As `float32_loss` takes them.
        what: The numbers, for the error: "the numbers in column 't'".
        more: What else can be done.

    Returns:
        The loss of last digits in words; '' where there is none.

    Raises:
        UserError: what tells samples apart is lost, or a number is beyond float32.
    """
    if _LARGEST < np.abs(values).max() < np.inf:
        raise UserError(
            f"{what} are too large",
            f"numbers up to {_LARGEST:.2g}, the largest of float32, in which models compute",
            f"{values.min():.6g} to {values.max():.6g}",
            "correct them, or take a greater unit" + more,
        )
    loss = float32_loss(values)
    if loss and loss.is_grave:
        raise UserError(
            f"{what} are too large for what they differ by",
            "numbers that float32, in which models compute, tells apart: about 7 digits",
            _said(loss, values),
            "subtract the least of them, or take a greater unit (days, not milliseconds)" + more,
        )
    return _said(loss, values) if loss else ""


def _said(loss: Loss, values: np.ndarray) -> str:
    """`100 different values, 1700000000000 to 1700000099000, become 1 in float32`."""
    ends = f"{values.min():.16g} to {values.max():.16g}"
    return f"{loss.before} different values, {ends}, become {loss.after} in float32"
