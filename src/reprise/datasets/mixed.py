"""Two datasets of one kind as one."""

import copy
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reprise.datasets.base import Dataset, Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Mixed(Dataset):
    """The samples of `new`, followed by those of `old`.

    Args:
        new: Has the first indices; its specs, splits and `draw` are those of the whole.
        old: Has the indices from len(new); its arrays have the shapes and dtypes of `new`.
    """

    def __init__(self, new: Dataset, old: Dataset) -> None:
        self._new, self._old = new, old
        self.input_spec, self.target_spec = new.input_spec, new.target_spec
        self.in_memory = new.in_memory and old.in_memory

    @property
    def parts(self) -> tuple[Dataset, Dataset]:
        """The two datasets."""
        return self._new, self._old

    def with_parts(self, change: Callable[[Dataset], Dataset]) -> "Mixed":
        """A copy whose datasets are `change` of these; the specs stay."""
        mixed = copy.copy(self)
        mixed._new, mixed._old = change(self._new), change(self._old)
        return mixed

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        dataset, own = self._find(index)
        return dataset.read(own, rng)

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        """Read a batch by one call of each dataset, in the order of `indices`."""
        parts = []
        for of_new, dataset, first in ((True, self._new, 0), (False, self._old, len(self._new))):
            places = np.flatnonzero((indices < len(self._new)) == of_new)
            if len(places):
                chosen = _Chosen(rngs, places)
                parts.append((places, dataset.read_many(indices[places] - first, chosen)))
        order = np.argsort(np.concatenate([places for places, _ in parts]))
        x, y = (np.concatenate([batch[at] for _, batch in parts])[order] for at in (0, 1))
        return x, y

    def name(self, index: int) -> str:
        dataset, own = self._find(index)
        return dataset.name(own) if dataset is self._new else f"old: {dataset.name(own)}"

    def group(self, index: int) -> Hashable:
        dataset, own = self._find(index)
        return dataset.group(own)

    def label(self, index: int) -> int | None:
        dataset, own = self._find(index)
        return dataset.label(own)

    def splits(self) -> Mapping[str, np.ndarray]:
        """The splits of `new`; the caller adds samples of `old`."""
        return self._new.splits()

    @property
    def sources(self) -> Sequence[Path]:
        return (*self._new.sources, *self._old.sources)

    @property
    def stamp(self) -> str:
        return self._new.stamp + self._old.stamp

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        self._new.draw(axes, x, y, prediction)

    def _find(self, index: int) -> tuple[Dataset, int]:
        count = len(self._new)
        return (self._new, index) if index < count else (self._old, index - count)


class _Chosen(Sequence[np.random.Generator | None]):
    """Some of a batch's generators, each made when it is asked for, as in the batch."""

    def __init__(self, rngs: Sequence[np.random.Generator | None], places: np.ndarray) -> None:
        self._rngs, self._places = rngs, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]
        return self._rngs[int(self._places[at])]
