"""Datasets that keep decoded arrays on disk, so that later passes need not decode again.

A `Store` holds the arrays in files, mapped into memory and shared by processes. Records are
appended to the file `arrays`; the file `index` holds, for each sample, the position of its record
and the lengths of all axes. A record is entered in the index once it is complete, so a process may
be killed at any time. Whatever was written since the store was last opened may be damaged by a
power cut, and is forgotten after one.
"""

import errno
import hashlib
import inspect
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.base import BaseDataset, Dataset, Sample, Wrapped
from reprise.datasets.decodable import Decodable, DecodableRows, Decoded
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError
from reprise.files import locked, write_text
from reprise.spec import Spec

_LOOKED_AT = 8  # samples from which the size of all is estimated
_DECODERS = ("numpy", "opencv-python-headless", "pillow", "scipy", "librosa", "soundfile", "soxr")
_PACKAGE = Path(__file__).parents[1]
_LINE = 64  # bytes: every array begins at a multiple of it, as TensorFlow takes it without a copy
_LEFT_FREE = 1 << 30  # bytes of the disk for the run's own files
_BOOT = Path("/proc/sys/kernel/random/boot_id")


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


class Cached(Wrapped):
    """A dataset that decodes every sample once, and keeps its decoded arrays in a store."""

    def __init__(self, dataset: Decodable, store: "Store") -> None:
        super().__init__(dataset)
        self._decodable, self._store = dataset, store
        self._has_failed = False
        is_full = isinstance(dataset, DecodableRows) and store.num_records() == len(dataset)
        self.in_memory = is_full  # as far as workers are concerned

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        if self._store.has(index):
            return self._decodable.finish(self._store.get(index), index, rng)
        arrays = self._decodable.decode(index)
        self._keep([index], [arrays])
        return self._decodable.finish(arrays, index, rng)

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        if not isinstance(self._decodable, DecodableRows):
            return super().read_many(indices, rngs)
        kept = self._store.has(indices)
        if kept.all():
            arrays = self._store.get_many(indices)
        else:
            arrays = self._decodable.decode_many(indices)
            new = np.flatnonzero(~kept)
            self._keep(indices[new].tolist(), [tuple(array[at] for array in arrays) for at in new])
        return self._decodable.finish_many(arrays, indices, rngs)

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
        if source.is_file():
            yield source
        for folder, folders, names in os.walk(source):
            folders.sort()
            yield from (Path(folder) / name for name in sorted(names))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


class Store:
    """Records of the samples of one dataset. Picklable; maps its files on first use.

    Args:
        folder: Of its files, on a local disk; made if it is missing.
        count: Number of samples of the dataset.
        specs: The arrays of a record; None in a shape where samples differ.

    Raises:
        OSError: there is no room, or no right to write.
    """

    def __init__(self, folder: Path, count: int, specs: Sequence[Spec]) -> None:
        self._folder, self._specs = folder, tuple(specs)
        self._shape = count, 1 + sum(len(spec.shape) for spec in specs)
        self._maps: dict[str, np.ndarray] = {}
        # Bytes of every record; 0 where samples differ.
        lengths = [length for spec in specs for length in spec.shape]
        self.record_size = 0 if None in lengths else _layout(specs, lengths).itemsize
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock"):
            self.is_new = self._open()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}

    def has(self, indices: Any) -> Any:
        """Whether there is a record, for one index or for an array of them."""
        return self._index[indices, 0] > 0

    def num_records(self) -> int:
        """Number of samples that have a record."""
        return int(np.count_nonzero(self._index[:, 0]))

    def get(self, index: int) -> Decoded:
        """The arrays of a sample that has a record, read-only, without a copy."""
        begin, *lengths = self._index[index].tolist()
        layout = _layout(self._specs, lengths)
        record = self._bytes(begin + layout.itemsize)[begin:].view(layout)
        return tuple(record[name][0, ...] for name in layout.names or ())

    def get_many(self, indices: np.ndarray) -> Decoded:
        """Copies of the arrays of samples that all have records of one size, with a batch axis."""
        layout = _layout(self._specs, self._index[indices[0], 1:].tolist())
        places, size = self._index[indices, 0], self.record_size
        rows = self._bytes(int(places.max()) + size).reshape(-1, size).take(places // size, axis=0)
        records = rows.view(layout)[:, 0]
        return tuple(np.ascontiguousarray(records[name]) for name in layout.names or ())

    def put(self, indices: Sequence[int], records: Sequence[Decoded]) -> None:
        """Add records; existing ones stay.

        Raises:
            OSError: they cannot be written; nothing is changed.
        """
        if shutil.disk_usage(self._folder).free < _LEFT_FREE:
            raise OSError(errno.ENOSPC, "1 GB of the disk is left to others")
        with (
            locked(self._folder / "lock"),
            (self._folder / "arrays").open("r+b", buffering=0) as file,
        ):
            new = [at for at, index in enumerate(indices) if not self.has(index)]
            parts = [_pack(self._specs, records[at]) for at in new]
            # Position 0 means no record. Records of one size stand at multiples of it.
            begin = _up(max(file.seek(0, os.SEEK_END), 1), self.record_size or _LINE)
            data = b"".join(parts)
            try:
                file.seek(begin)
                if file.write(data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(begin)
                raise
            for at, part in zip(new, parts, strict=True):
                row = self._index[indices[at]]
                row[1:] = [length for array in records[at] for length in array.shape]
                row[0] = begin  # last: from here on the record exists
                begin += len(part)

    def is_first_to_fail(self) -> bool:
        """Whether this is the first call of any process since the store was opened."""
        try:
            (self._folder / "failed").touch(exist_ok=False)
        except OSError as error:
            return not isinstance(error, FileExistsError)
        return True

    @property
    def _index(self) -> np.ndarray:
        """For each sample the position of its record, 0 for none, and its lengths."""
        if "index" not in self._maps:
            path = self._folder / "index"
            self._maps["index"] = np.memmap(path, np.int64, "r+", shape=self._shape)
        return self._maps["index"]

    def _bytes(self, stop: int) -> np.ndarray:
        """The file of records up to `stop`, shape (stop,), uint8; mapped anew if it has grown."""
        mapped = self._maps.get("arrays")
        if mapped is None or len(mapped) < stop:
            mapped = np.memmap(self._folder / "arrays", np.uint8, "r").view(np.ndarray)
            self._maps["arrays"] = mapped
        return mapped[:stop]

    def _open(self) -> bool:
        """Make the files and forget what a power cut may have damaged; whether they are new."""
        note, boot = self._folder / "synced.json", _BOOT.read_text()
        known = json.loads(note.read_text()) if note.exists() else {"boot": "", "bytes": 0}
        with (self._folder / "arrays").open("ab") as arrays:
            with (self._folder / "index").open("ab") as index:
                # Allocated now: writing into a hole of a map on a full disk would kill the process.
                os.posix_fallocate(index.fileno(), 0, self._shape[0] * self._shape[1] * 8)
                if known["boot"] != boot:
                    self._index[self._index[:, 0] >= known["bytes"], 0] = 0
                os.fsync(index.fileno())
            os.fsync(arrays.fileno())
            size = arrays.seek(0, os.SEEK_END)
        (self._folder / "failed").unlink(missing_ok=True)
        write_text(note, json.dumps({"boot": boot, "bytes": size}))
        return not known["boot"]


def _layout(specs: Sequence[Spec], lengths: Sequence[Any]) -> np.dtype:
    """A record's arrays as fields, each at a multiple of `_LINE`, with all their axes' lengths."""
    rest = iter(lengths)
    formats = [(spec.dtype, tuple(next(rest) for _ in spec.shape)) for spec in specs]
    stops = list(accumulate(_up(np.dtype(one).itemsize) for one in formats))
    names, offsets = [f"f{at}" for at in range(len(specs))], [0, *stops[:-1]]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": stops[-1]})


def _pack(specs: Sequence[Spec], arrays: Decoded) -> bytes:
    layout = _layout(specs, [length for array in arrays for length in array.shape])
    record = np.zeros((), layout)
    for name, array in zip(layout.names or (), arrays, strict=True):
        record[name] = array
    return record.tobytes()


def _up(size: int, step: int = _LINE) -> int:
    """The next multiple of `step`."""
    return -(-size // step) * step
