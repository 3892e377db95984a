"""A dataset that keeps decoded arrays on disk, so that later passes need not decode again."""

import hashlib
import inspect
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.base import BaseDataset, Dataset, Sample
from reprise.datasets.cache.store import Store
from reprise.datasets.decodable import Decodable, DecodableRows, Decoded
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError

_LOOKED_AT = 8  # samples from which the size of all is estimated
_DECODERS = ("numpy", "opencv-python-headless", "pillow", "scipy", "librosa", "soundfile", "soxr")
_PACKAGE = Path(__file__).parents[2]


def cached(dataset: BaseDataset[Any], folder: Path) -> Dataset:
    """The same dataset, with its decoded arrays kept in `folder`.

    Several runs may use one folder at once. Its content is never out of date: it has another name
    for other data, settings or code. It may be deleted when no run uses it.

    Raises:
        UserError: the dataset decodes nothing, or does not name its data.
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
        size = len(dataset) * (store.record_size or _mean_bytes(dataset)) / 1e6
        free = shutil.disk_usage(folder).free / 1e6
        _say(f"the first pass writes about {size:,.0f} MB to {place}; {free:,.0f} MB are free")
    return Cached(dataset, store)


def identity(dataset: Decodable) -> str:
    """A name for the decoded arrays of a dataset, which changes with data, settings and code.

    Files count by name, size and time of change, a server's rows by the dataset's stamp.

    Raises:
        UserError: the dataset has neither, so that a change of its data would not be seen.
    """
    kind = type(dataset)
    if not dataset.sources and not dataset.stamp:
        raise UserError(
            f"loader.cache cannot tell whether the data of {kind.__qualname__} is still the same",
            "a dataset that names its files",
            "no sources, and no stamp",
            f"give {kind.__qualname__} the property sources, or set loader.cache=null",
        )
    digest = hashlib.sha256()
    rooms = [_PACKAGE / "datasets", _PACKAGE / "transforms"]
    for path in (*_every_file(rooms), Path(inspect.getfile(kind))):
        if path.suffix == ".py":
            digest.update(path.read_bytes())
    words = [dataset.recipe, repr(dataset.decoded), dataset.stamp, *map(_version, _DECODERS)]
    words += [dataset.name(index) for index in range(len(dataset))]
    for path in _every_file(dataset.sources):
        status = path.stat()
        words.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    digest.update("\0".join(words).encode())
    return f"{kind.__name__.lower()}-{digest.hexdigest()[:16]}"


class Cached(Dataset):
    """A dataset that decodes every sample once, and keeps its decoded arrays in a store."""

    def __init__(self, dataset: Decodable, store: Store) -> None:
        self._dataset, self._store = dataset, store
        self._has_failed = False
        self.input_spec, self.target_spec = dataset.input_spec, dataset.target_spec
        is_full = isinstance(dataset, DecodableRows) and store.num_records() == len(dataset)
        self.in_memory = is_full  # as far as workers are concerned

    def __len__(self) -> int:
        return len(self._dataset)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        if self._store.has(index):
            return self._dataset.finish(self._store.get(index), index, rng)
        arrays = self._dataset.decode(index)
        self._keep([index], [arrays])
        return self._dataset.finish(arrays, index, rng)

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        if not isinstance(self._dataset, DecodableRows):
            return super().read_many(indices, rngs)
        kept = self._store.has(indices)
        if kept.all():
            arrays = self._store.get_many(indices)
        else:
            arrays = self._dataset.decode_many(indices)
            new = np.flatnonzero(~kept)
            self._keep(indices[new].tolist(), [tuple(array[at] for array in arrays) for at in new])
        return self._dataset.finish_many(arrays, indices, rngs)

    def name(self, index: int) -> str:
        return self._dataset.name(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        return self._dataset.splits()

    @property
    def sources(self) -> Sequence[Path]:
        return self._dataset.sources

    def _keep(self, indices: Sequence[int], records: Sequence[Decoded]) -> None:
        if self._has_failed:
            return
        try:
            self._store.put(indices, records)
        except OSError as error:
            self._has_failed = True
            if self._store.is_first_to_fail():
                _say(f"no more can be kept ({error.strerror}); going on with what there is")


def _mean_bytes(dataset: Decodable) -> float:
    """Bytes of a sample's decoded arrays, from a few spread over the dataset."""
    some = np.linspace(0, len(dataset) - 1, min(len(dataset), _LOOKED_AT)).astype(int).tolist()
    return sum(array.nbytes for at in some for array in dataset.decode(at)) / len(some)


def _say(words: str) -> None:
    print(f"note: loader.cache: {words}", file=sys.stderr, flush=True)


def _every_file(sources: Sequence[Path]) -> Iterator[Path]:
    """The files in these files and folders, in a fixed order."""
    for source in sources:
        if not source.is_dir():
            log = source.with_name(f"{source.name}-wal")  # which SQLite writes first
            yield from (path for path in (source, log) if path.exists())
        for folder, folders, names in os.walk(source):
            folders.sort()
            yield from (Path(folder) / name for name in sorted(names))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
