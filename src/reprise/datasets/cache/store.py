"""Arrays of many samples in files, mapped into memory and shared by processes.

Records are appended to the file `arrays`; the file `index` holds, for each sample, the position of
its record and the lengths of all axes. A record is entered in the index once it is complete, so a
process may be killed at any time. Whatever was written since the store was last opened may be
damaged by a power cut, and is forgotten after one.
"""

import errno
import json
import os
import shutil
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.decodable import Decoded
from reprise.files import locked, write_text
from reprise.spec import Spec

_LINE = 64  # bytes: every array begins at a multiple of it, as TensorFlow takes it without a copy
_LEFT_FREE = 1 << 30  # bytes of the disk for the run's own files
_BOOT = Path("/proc/sys/kernel/random/boot_id")


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
