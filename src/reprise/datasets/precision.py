"""What float32, in which models compute, keeps of large numbers."""

import numpy as np

from reprise.errors import UserError

_UNIFORM = 1e-6  # deviations between neighbouring float32 numbers, at most, that harm nothing
_COARSE = 1e-3  # likewise for measurements, whose last digits are noise
_EXACT = 2**24  # whole numbers below it are float32 numbers
_LARGEST = float(np.finfo(np.float32).max)
_MERGED = 0.01  # part of the different values


def float32_loss(values: np.ndarray) -> tuple[int, int, bool] | None:
    """Find out whether float32 merges values that lie far apart for their own spread.

    Args:
        values: Finite numbers, one axis, not empty.

    Returns:
        None where at most one of a hundred values is lost; or how many different values there are,
        how many are left, and whether what tells samples apart is lost, and not only last digits.
        Whole numbers (ids, times) are told apart by their last digit; others are measurements.
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
    return before, after, is_whole or spacing > _COARSE * deviation


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
    if loss is None:
        return ""
    before, after, is_grave = loss
    ends = f"{values.min():.16g} to {values.max():.16g}"
    said = f"{before} different values, {ends}, become {after} in float32"
    if is_grave:
        raise UserError(
            f"{what} are too large for what they differ by",
            "numbers that float32, in which models compute, tells apart: about 7 digits",
            said,
            "subtract the least of them, or take a greater unit (days, not milliseconds)" + more,
        )
    return said
