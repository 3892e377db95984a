"""A dataset that keeps on disk what it has decoded, so that later passes need not do it again."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.base import BaseDataset, Dataset, Sample
from reprise.datasets.cache.identity import identity
from reprise.datasets.cache.store import Store
from reprise.datasets.decodable import Arrays, Decodable, DecodableRows
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError

_LOOKED_AT = 8  # samples whose sizes say how much there will be


def cached(dataset: BaseDataset[Any], folder: Path) -> Dataset:
    """The dataset with what it has decoded in `folder`: the same samples, sooner.

    Several runs may use one folder at once. What is in it is never out of date: other data,
    settings or code have another name there. It may be deleted when no run uses it.

    Raises:
        UserError: the dataset has nothing that could be kept, or does not name its data.
    """
    if isinstance(dataset, Mixed):
        return dataset.with_parts(lambda part: cached(part, folder))
    if not isinstance(dataset, Decodable):
        reason = "its data is in memory" if dataset.in_memory else "it has no method decode"
        raise UserError(
            "loader.cache has nothing to keep",
            "a dataset that decodes: images, sound, SQL, or a child class of Decodable",
            f"{type(dataset).__qualname__}: {reason}",
            "set loader.cache=null",
        )
    place = folder / identity(dataset)
    try:
        store = Store(place, len(dataset), dataset.decoded)
        (folder / ".gitignore").write_text("*\n")
    except OSError as error:
        _say(f"{place} cannot be written ({error.strerror}); going on without")
        return dataset
    if store.is_new:
        size = len(dataset) * (store.record.size or _mean_bytes(dataset)) / 1e6
        free = shutil.disk_usage(folder).free / 1e6
        _say(f"the first pass writes about {size:,.0f} MB to {place}; {free:,.0f} MB are free")
    if isinstance(dataset, DecodableRows):
        return CachedRows(dataset, store)
    return Cached(dataset, store)


class Cached(Dataset):
    """The samples of a dataset, decoded once.

    Args:
        dataset: Decodes and finishes.
        store: Where decoded arrays are kept.
    """

    def __init__(self, dataset: Decodable, store: Store) -> None:
        self._dataset, self._store = dataset, store
        self._is_full = False
        self.input_spec, self.target_spec = dataset.input_spec, dataset.target_spec

    def __len__(self) -> int:
        return len(self._dataset)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        if self._store.has(index):
            return self._dataset.finish(self._store.get(index), index, rng)
        arrays = self._dataset.decode(index)
        self._keep([index], [arrays])
        return self._dataset.finish(arrays, index, rng)

    def name(self, index: int) -> str:
        return self._dataset.name(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        return self._dataset.splits()

    @property
    def sources(self) -> Sequence[Path]:
        return self._dataset.sources

    def _keep(self, indices: Sequence[int], records: Sequence[Arrays]) -> None:
        if self._is_full:
            return
        try:
            self._store.put(indices, records)
        except OSError as error:
            self._is_full = True
            if self._store.is_first_to_fail():
                _say(f"no more can be kept ({error.strerror}); going on with what there is")


class CachedRows(Cached):
    """The same for a dataset that decodes batches."""

    _dataset: DecodableRows

    def __init__(self, dataset: DecodableRows, store: Store) -> None:
        super().__init__(dataset, store)
        self.in_memory = store.num_records() == len(dataset)

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        kept = self._store.has(indices)
        if kept.all():
            arrays = self._store.get_many(indices)
        else:
            arrays = self._dataset.decode_many(indices)
            new = np.flatnonzero(~kept)
            parts = [tuple(array[at] for array in arrays) for at in new]
            self._keep(indices[new].tolist(), parts)
        return self._dataset.finish_many(arrays, indices, rngs)


def _mean_bytes(dataset: Decodable) -> float:
    """Bytes of a sample's decoded arrays, from a few spread over the dataset."""
    some = np.linspace(0, len(dataset) - 1, min(len(dataset), _LOOKED_AT)).astype(int).tolist()
    return sum(array.nbytes for at in some for array in dataset.decode(at)) / len(some)


def _say(words: str) -> None:
    print(f"note: loader.cache: {words}", file=sys.stderr, flush=True)
