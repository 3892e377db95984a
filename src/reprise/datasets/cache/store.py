"""Arrays of many samples on disk, mapped into memory: written once, by whoever comes first.

To the file `arrays` records are appended; `index` says of each sample where its record begins and
how long its axes are. A record is in the index once it is whole, so that a process may be killed at
any time; writers exclude one another by a lock that ends with them. What a power cut may have
spoilt (all that was written since the store was last opened) counts no more after it.
"""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.cache.record import LINE, Record, up
from reprise.datasets.decodable import Arrays
from reprise.spec import Spec

_LEFT_FREE = 1 << 30  # bytes: a run has its own files to write
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Store:
    """Records of the samples of one dataset; picklable, maps its files when it is first used.

    Args:
        folder: Of its files, on a disk of this machine; made if it is missing.
        count: Samples there could be.
        specs: The arrays of a record; None where samples differ.

    Raises:
        OSError: there is no room, or no right to write.
    """

    def __init__(self, folder: Path, count: int, specs: Sequence[Spec]) -> None:
        self._folder, self.record = folder, Record(specs)
        self._shape = count, 1 + self.record.num_lengths
        self._maps: dict[str, np.ndarray] = {}
        folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self.is_new = self._open()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}

    def has(self, indices: Any) -> Any:
        """Whether there is a record, for one index or for an array of them."""
        return self._index[indices, 0] > 0

    def num_records(self) -> int:
        """Samples that have a record."""
        return int(np.count_nonzero(self._index[:, 0]))

    def get(self, index: int) -> Arrays:
        """The arrays of a sample that has a record, read-only, without a copy."""
        place, *lengths = self._index[index].tolist()
        stop = place + self.record.size_of(lengths)
        return self.record.view(self._bytes(stop)[place:], lengths)

    def get_many(self, indices: np.ndarray) -> Arrays:
        """The arrays of samples that all have records, of one size, with a batch axis."""
        places, size = self._index[indices, 0], self.record.size
        rows = self._bytes(int(places.max()) + size).reshape(-1, size)
        return self.record.split(rows.take(places // size, axis=0))

    def put(self, indices: Sequence[int], records: Sequence[Arrays]) -> None:
        """Keep these records; those that there already are stay.

        Raises:
            OSError: they cannot be written; nothing is changed.
        """
        if shutil.disk_usage(self._folder).free < _LEFT_FREE:
            raise OSError(errno.ENOSPC, "1 GB of the disk is left to others")
        with self._alone(), (self._folder / "arrays").open("r+b", buffering=0) as file:
            news = [at for at, index in enumerate(indices) if not self.has(index)]
            parts = [self.record.pack(records[at]) for at in news]
            begin = up(max(file.seek(0, os.SEEK_END), 1), self.record.size or LINE)
            _append(file, begin, b"".join(parts))
            for at, part in zip(news, parts, strict=True):
                row = self._index[indices[at]]
                row[1:] = self.record.lengths(records[at])
                row[0] = begin  # last: from here on it counts
                begin += len(part)

    def is_first_to_fail(self) -> bool:
        """Whether no process has asked this since the store was opened: one of them says so."""
        try:
            (self._folder / "failed").touch(exist_ok=False)
        except OSError as error:
            return not isinstance(error, FileExistsError)
        return True

    @property
    def _index(self) -> np.ndarray:
        """For each sample the place of its record, 0 for none, and its lengths."""
        if "index" not in self._maps:
            path = self._folder / "index"
            self._maps["index"] = np.memmap(path, np.int64, "r+", shape=self._shape)
        return self._maps["index"]

    def _bytes(self, stop: int) -> np.ndarray:
        """The file of records up to here, shape (stop,), uint8; mapped anew when it has grown."""
        mapped = self._maps.get("arrays")
        if mapped is None or len(mapped) < stop:
            mapped = np.memmap(self._folder / "arrays", np.uint8, "r").view(np.ndarray)
            self._maps["arrays"] = mapped
        return mapped[:stop]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, of all threads and processes."""
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _open(self) -> bool:
        """Make the files, forget what a power cut may have spoilt; whether the store is new."""
        note, boot = self._folder / "synced.json", _BOOT.read_text()
        known = json.loads(note.read_text()) if note.exists() else {"boot": "", "bytes": 0}
        with (self._folder / "arrays").open("ab") as arrays:
            with (self._folder / "index").open("ab") as index:
                # All its blocks at once: a map into a hole would end the process on a full disk.
                os.posix_fallocate(index.fileno(), 0, self._shape[0] * self._shape[1] * 8)
                if known["boot"] != boot:
                    self._index[self._index[:, 0] >= known["bytes"], 0] = 0
                os.fsync(index.fileno())
            os.fsync(arrays.fileno())
            size = arrays.seek(0, os.SEEK_END)
        (self._folder / "failed").unlink(missing_ok=True)
        partial = note.with_suffix(".partial")
        partial.write_text(json.dumps({"boot": boot, "bytes": size}))
        partial.replace(note)
        return not known["boot"]


def _append(file: Any, begin: int, data: bytes) -> None:
    """Write all of it, or leave nothing of it."""
    try:
        file.seek(begin)
        if file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        file.truncate(begin)
        raise
