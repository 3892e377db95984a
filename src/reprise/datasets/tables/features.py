"""The numbers in a table's rows as inputs."""

from collections.abc import Collection, Sequence

import numpy as np

from reprise.datasets.tables.reading import Table
from reprise.errors import UserError

KEY = "dataset.columns"


def feature_columns(
    table: Table, columns: Sequence[str] | None, others: Collection[str]
) -> list[str]:
    """The columns that are inputs.

    Args:
        table: Whose columns they are.
        columns: Their names as asked for; None for all but `others`.
        others: Columns with another meaning, such as the label.

    Raises:
        UserError: there is none, or one of them has another meaning: a model would be told the
            answer.
    """
    own = [str(name) for name in table.frame if name not in others]
    chosen = own if columns is None else list(columns)
    told = [name for name in chosen if name in others]
    if told or not chosen:
        raise UserError(
            f"{KEY} has the label among the inputs" if told else f"{KEY} names no column",
            f"some of {', '.join(own)}",
            ", ".join(chosen) or "none",
            f"take {', '.join(told)} out" if told else f"correct {KEY}, or set it to null",
        )
    return chosen


def features(table: Table, columns: Sequence[str]) -> np.ndarray:
    """The inputs, shape (rows, columns), float32, in the table's own units.

    Raises:
        UserError: a cell is no finite number; it is named.
    """
    return np.stack([table.numbers(name, KEY) for name in columns], axis=1).astype(np.float32)
