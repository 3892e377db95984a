"""Columns of clean text to numbers and class ids, by Arrow and pandas, a hundred times quicker.

Where a cell is not clean both give None, and whoever goes cell by cell says what is wrong.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def quick_numbers(cells: Any) -> np.ndarray | None:
    """Finite numbers, float64, shape (rows,), of a pandas column; None where it is not plain text.

    Args:
        cells: A pandas Series, or None.
    """
    import pandas as pd

    if cells is None or not isinstance(cells.dtype, pd.StringDtype):
        return None
    try:
        values = cells.astype("double[pyarrow]").to_numpy()
    except ValueError:  # Arrow's errors are
        return None
    is_clean = values.dtype == np.float64 and np.isfinite(values).all()
    return values if is_clean else None


def numbers_or_nan(texts: Sequence[str]) -> np.ndarray:
    """Numbers, float64, of any texts; NaN for what is none."""
    import pandas as pd

    return pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(float)


def quick_names(cells: Any) -> tuple[np.ndarray, list[str]] | None:
    """For each row of a pandas column the place of its text among the different ones, and these.

    Args:
        cells: A pandas Series, or None.
    """
    import pandas as pd

    if cells is None or not isinstance(cells.dtype, pd.StringDtype):
        return None
    places, names = pd.factorize(cells)
    return None if (places < 0).any() else (places, [str(name).strip() for name in names])
