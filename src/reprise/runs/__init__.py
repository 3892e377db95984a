"""A run's life. Called as `reprise.runs()`, it returns a table of all runs."""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class _Runs(ModuleType):
    """This package, which has the name of the function that the user expects."""

    def __call__(self, runs: str | Path = "runs") -> "pd.DataFrame":
        from reprise.runs.notebook import table

        return table(runs)


sys.modules[__name__].__class__ = _Runs
