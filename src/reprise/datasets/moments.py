"""Statistics of the train split that a spec needs: mean, standard deviation, counts of classes."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from reprise.spec import Spec


class Moments:
    """Mean and standard deviation of each entry of the last axis, or of all if it has no length.

    Computed in float64 and in pieces (Chan, Golub and LeVeque 1979), so that a large mean or many
    samples cost no precision. `spec` is that of one sample's array.
    """

    def __init__(self, spec: Spec) -> None:
        self._entries = spec.shape[-1] if spec.shape and spec.shape[-1] is not None else 1
        self._count = 0
        self._mean = np.zeros(self._entries)
        self._squares = np.zeros(self._entries)  # sum of squared distances from the mean

    def add(self, array: np.ndarray) -> None:
        """Add one sample, or several with a leading axis."""
        values = np.asarray(array, np.float64).reshape(-1, self._entries)
        if not len(values):
            return
        mean, count = values.mean(0), len(values)
        apart, total = mean - self._mean, self._count + count
        self._squares += ((values - mean) ** 2).sum(0) + apart**2 * (self._count * count / total)
        self._mean += apart * (count / total)
        self._count = total

    def onto(self, spec: Spec) -> Spec:
        """The spec with the mean as its offset and the deviation as its scale; 1 for a constant."""
        deviation = np.sqrt(self._squares / max(self._count, 1))
        # The deviation of a constant is not exactly 0, for lack of precision.
        noise = 1e-12 * np.abs(self._mean)
        scale = np.where(deviation > noise, deviation, 1.0)
        return replace(spec, offset=tuple(self._mean.tolist()), scale=tuple(scale.tolist()))


class Counts:
    """Number of samples of each class; nothing if `spec`, of one target, is not of classes."""

    def __init__(self, spec: Spec) -> None:
        self._kind = spec.kind
        self._counts = np.zeros(len(spec.classes), np.int64)

    def add(self, array: np.ndarray) -> None:
        """Add the target of one sample, or several with a leading axis."""
        if self._kind == "class":
            self._counts += np.bincount(np.ravel(array), minlength=len(self._counts))
        elif self._kind == "labels":
            self._counts += (array != 0).reshape(-1, len(self._counts)).sum(axis=0)

    def onto(self, spec: Spec) -> Spec:
        """The spec with these counts."""
        is_counted = self._kind in ("class", "labels")
        return replace(spec, counts=tuple(self._counts.tolist())) if is_counted else spec


def standardized(spec: Spec, chunks: Iterable[np.ndarray]) -> Spec:
    """The spec with mean and deviation of samples in chunks of shape (count, *spec.shape)."""
    moments = Moments(spec)
    for chunk in chunks:
        moments.add(chunk)
    return moments.onto(spec)


def is_unscaled(spec: Spec) -> bool:
    """Whether an array holds values in a unit of its own, whose scale is not given."""
    return np.dtype(spec.dtype).kind == "f" and not spec.classes and not spec.scale
