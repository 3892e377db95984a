"""What one array of a sample is: the word that datasets, models and objectives share."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Spec:
    """Shape and meaning of one array of a sample, without the batch axis.

    A target with `classes` is one class id where its shape is (), a 0 or 1 for each class where it
    is (classes,) (several may hold), and a mask of ids where it has height and width. A target
    without classes is values.

    Args:
        shape: Axis lengths of one sample's array; None where samples differ.
        dtype: NumPy name of its dtype.
        classes: Names of the classes, in the order of their ids; for a mask one name means yes/no
            (0 or 1). Empty for values.
        ignore: Target value that counts in no loss and no metric, or None.
        offset: For each entry of the last axis (or one for all) the value that a model takes as its
            zero; empty: 0. What a dataset gives and a model returns stays in the user's unit.
        scale: Likewise, what a model takes as its one, above 0; empty: 1, or the dtype's largest
            value for unsigned integers.
        counts: For each class the training samples that have it, for balancing; empty: not known.
        names: Of the entries of the last axis, or of the one value: a table's columns, say; empty:
            they have none.
    """

    shape: tuple[Any, ...]  # whole numbers, and None
    dtype: str
    classes: tuple[str, ...] = ()
    ignore: int | None = None
    offset: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What JSON can hold of it; `from_json` makes the same again."""
        return asdict(self)

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Self:
        """Make it from what JSON gave back, in which tuples are lists."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in read.items()
        }
        return cls(**values)

    def without_learned(self) -> Self:
        """This spec without what is learned from the train split: offset, scale and counts."""
        return replace(self, offset=(), scale=(), counts=())

    @property
    def kind(self) -> Literal["class", "labels", "mask", "values"]:
        """What a target of this spec is: one class, several labels, a mask of ids, or values."""
        if not self.classes:
            return "values"
        if self.shape == ():
            return "class"
        return "labels" if self.shape == (len(self.classes),) else "mask"
