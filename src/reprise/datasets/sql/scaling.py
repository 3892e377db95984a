"""What models take as zero and as one of each column of values: stated, or learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from reprise.errors import UserError
from reprise.spec import Spec


@dataclass(frozen=True)
class Scaling:
    """For each column of values its zero and its one, in the column's unit.

    Args:
        columns: Their names.
        offset: What is taken as zero.
        scale: What is taken as one, above 0.
    """

    columns: Sequence[str]
    offset: Sequence[float]
    scale: Sequence[float]

    @classmethod
    def between(cls, bounds: Sequence[float], columns: Sequence[str]) -> Self:
        """The same for every column: the least value is -1, and the greatest 1.

        Raises:
            UserError: the least is not less than the greatest.
        """
        low, high = bounds
        if not low < high:
            raise UserError(
                "dataset.bounds leaves no room for values",
                "the least value, and a greater one",
                f"[{low:g},{high:g}]",
                "for instance dataset.bounds=[-7,7]; null learns the scale from the train split",
            )
        count = len(columns)
        return cls(columns, [(low + high) / 2] * count, [(high - low) / 2] * count)

    def onto(self, spec: Spec, places: Sequence[int]) -> Spec:
        """The spec of an array that has the columns of these places in its last axis."""
        offset = tuple(self.offset[place] for place in places)
        return replace(spec, offset=offset, scale=tuple(self.scale[place] for place in places))

    def as_json(self) -> Mapping[str, Any]:
        """By column, as the run records it."""
        return {
            name: {"offset": self.offset[at], "scale": self.scale[at]}
            for at, name in enumerate(self.columns)
        }
