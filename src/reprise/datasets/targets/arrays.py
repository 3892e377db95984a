"""The targets of whole samples as arrays, and what the train split teaches about numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reprise.datasets.targets.moments import Moments
from reprise.spec import Spec


@dataclass(frozen=True)
class Targets:
    """The target of every sample, and the spec that says how to read it.

    Args:
        values: One class: ids, shape (samples,), int32. Several: 0 or 1 for each, shape
            (samples, classes), uint8. Values: shape (samples, *spec.shape), float32.
        spec: Of one sample's target.
    """

    values: np.ndarray
    spec: Spec

    def label(self, index: int) -> int | None:
        """The sample's class id, or None where it has not exactly one by its kind."""
        return int(self.values[index]) if self.spec.classes and self.values.ndim == 1 else None

    def learned(self, train: np.ndarray) -> tuple[Spec, dict[str, Any]]:
        """The spec with what the train split teaches, and the same by name, for the record.

        Args:
            train: Indices of the train split.

        Returns:
            With `counts` for classes; for values with their mean as `offset` and their standard
            deviation as `scale`, for each entry of the last axis (1 where it is 0).
        """
        own = self.values[train]
        if not self.spec.classes:
            spec = standardized(self.spec, [own])
            return spec, {"target_offset": list(spec.offset), "target_scale": list(spec.scale)}
        total = own.sum(axis=0) if own.ndim == 2 else np.bincount(own, None, len(self.spec.classes))
        counts = tuple(total.tolist())
        return replace(self.spec, counts=counts), {
            "counts": dict(zip(self.spec.classes, counts, strict=True))
        }


def standardized(spec: Spec, chunks: Iterable[np.ndarray]) -> Spec:
    """The spec with mean and deviation of samples, for each entry of the last axis.

    Args:
        spec: Of one sample.
        chunks: Samples, each of shape (some, *spec.shape).
    """
    moments = Moments(spec)
    for chunk in chunks:
        moments.add(chunk)
    return moments.onto(spec)
