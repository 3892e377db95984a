"""Experiments on images, recordings and tables whose runs can be taken again.

In Python: `run = reprise.load("last")`, then `run.metrics()`, `run.model()`, `run.dataset("test")`,
`run.predict(images_or_paths)`; `reprise.runs()` is a table of all runs, and
`reprise.train("digits", {"trainer.epochs": 2})` trains one. docs/notebook.ipynb shows them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprise.runs.notebook import Run, load, train

__all__ = ["Run", "load", "runs", "train"]  # `__getattr__` has them


def __getattr__(name: str) -> Any:  # what a name needs is imported when it is first used
    if name == "runs":
        return import_module("reprise.runs")
    if name in __all__:
        return getattr(import_module("reprise.runs.notebook"), name)
    raise AttributeError(f"module 'reprise' has no attribute '{name}'")
