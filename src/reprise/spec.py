"""What one array of a sample is: the word that datasets, models and objectives share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Spec:
    """Shape and meaning of one array of a sample, without the batch axis.

    Args:
        shape: Axis lengths of one sample's array.
        dtype: NumPy name of its dtype.
        classes: For a target of class ids, the names in the order of the ids; one name means a
            yes/no target (0 or 1). Empty for targets that are values.
        ignore: Target value that counts in no loss and no metric, or None.
    """

    shape: tuple[int, ...]
    dtype: str
    classes: tuple[str, ...] = ()
    ignore: int | None = None
