"""A few numbers for each sample, measured where it is read, by which a whole dataset is judged."""

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np

from reprise.datasets.base import Dataset, Sample, Wrapped
from reprise.errors import in_one_line
from reprise.spec import Spec

THUMB = 16  # rows and columns of a sample's small grey copy
FACTS = ("height", "width", "level", "peak")  # of `Dataset.facts`
_COLUMNS = 64  # of a table's row that are kept
_ERROR_BYTES = 400


def record_type(dataset: Dataset | None, x: Spec, y: Spec) -> np.dtype:
    """Fields of what `measure` returns for samples of these specs.

    `error` is empty if the sample could be read. `x` and `y` are hashes of the arrays; `low`,
    `high`, `mean` and `deviation` are of all finite values of the input, `y_low`, `y_high` and
    `y_mean` of the target; `bad` counts the values that are NaN or infinite. `present` has a bit
    for each class that the target holds. `thumb` is the standardized grey copy of an input with
    height and width, `columns` holds the values of a row.
    """
    numbers = ("low", "high", "mean", "deviation", "y_low", "y_high", "y_mean", "size", *FACTS)
    fields: list = [("error", f"S{_ERROR_BYTES}"), ("x", "u8"), ("y", "u8"), ("bad", "i8")]
    fields += [(name, "f8") for name in numbers]
    fields.append(("present", "u1", (-(-max(1, len(y.classes)) // 8),)))
    if len(x.shape) == 3:
        fields.append(("thumb", "f2", (THUMB, THUMB)))
    elif len(x.shape) == 1 and x.shape[0] is not None:
        fields.append(("columns", "f4", (min(x.shape[0], _COLUMNS),)))
    return np.dtype(fields)


def measure(record: np.ndarray, x: np.ndarray, y: np.ndarray, target: Spec) -> None:
    """Write the numbers of one sample into `record`, shape (), of `record_type`."""
    x, y = np.asarray(x), np.asarray(y)
    record["x"], record["y"] = _digest(x), _digest(y)
    finite = x if x.dtype.kind in "biu" else x[np.isfinite(x)]
    record["bad"] = (
        x.size - finite.size + (np.count_nonzero(~np.isfinite(y)) if y.dtype.kind == "f" else 0)
    )
    record["size"] = x.size
    if finite.size:
        mean, deviation = cv2.meanStdDev(np.ascontiguousarray(finite, _number(x)).reshape(-1, 1))
        record["low"], record["high"] = finite.min(), finite.max()
        record["mean"], record["deviation"] = mean[0, 0], deviation[0, 0]
    counted = y if target.ignore is None else y[y != target.ignore]
    if counted.size:
        values = counted.astype(np.float64)
        record["y_low"], record["y_high"], record["y_mean"] = (
            values.min(),
            values.max(),
            values.mean(),
        )
    record["present"] = _present(counted, target)
    names = record.dtype.names or ()
    if "thumb" in names and finite.size == x.size and record["low"] < record["high"]:
        record["thumb"] = thumb(x)
    elif "columns" in names:
        record["columns"] = x[: len(record["columns"])]


def thumb(x: np.ndarray) -> np.ndarray:
    """Small grey copy of an array of height, width and channels, of mean 0 and deviation 1."""
    pixels = np.ascontiguousarray(x, np.float32)
    if x.shape[2] > 4:  # more than OpenCV averages at once
        pixels = pixels.mean(axis=2)
    small = cv2.resize(pixels, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    small = small.reshape(THUMB, THUMB, -1).mean(axis=2)
    small -= small.mean()
    return small / (small.std() or 1.0)


def _number(x: np.ndarray) -> type:
    own = {"uint8": np.uint8, "uint16": np.uint16, "float32": np.float32}  # OpenCV's, too
    return own.get(x.dtype.name, np.float64)


def _digest(array: np.ndarray) -> int:
    head = f"{array.shape} {array.dtype}".encode()
    found = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=8, key=head[:64])
    return int.from_bytes(found.digest())


def _present(y: np.ndarray, target: Spec) -> np.ndarray:
    flags = np.zeros(max(1, len(target.classes)), np.uint8)
    if target.kind == "labels":
        flags = (y != 0).astype(np.uint8)
    elif target.kind in ("class", "mask"):
        flags = np.zeros(max(2, len(target.classes)), np.uint8)
        ids = np.unique(y)
        flags[ids[(ids >= 0) & (ids < len(flags))].astype(int)] = 1
        if len(target.classes) == 1:  # yes or no: whether there is a yes
            flags = flags[1:]
    return np.packbits(flags, bitorder="little")


class Measured(Wrapped):
    """Stands in for a dataset: its samples are the measures of the other's, as bytes.

    A sample that cannot be read has a measure too, with the reason in `error`.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self.type = record_type(dataset, dataset.input_spec, dataset.target_spec)
        self.input_spec = Spec((self.type.itemsize,), "uint8")
        self.target_spec = Spec((0,), "uint8")

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        x, y = self.read_many(np.array([index]), [None])
        return x[0], y[0]

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        records = np.zeros(len(indices), self.type)
        for name in FACTS:
            records[name] = np.nan
        samples = self._read(indices)
        for index, record, sample in zip(indices.tolist(), records, samples, strict=True):
            if isinstance(sample, Exception):
                record["error"] = in_one_line(sample).encode()[:_ERROR_BYTES]
                continue
            measure(record, *sample, self.dataset.target_spec)
            for name, value in self.dataset.facts(index).items():
                record[name] = value
        count = len(indices)
        return records.view(np.uint8).reshape(count, -1), np.zeros((count, 0), np.uint8)

    def _read(self, indices: np.ndarray) -> list[Sample | Exception]:
        """Each sample, or the reason why it cannot be read."""
        try:
            x, y = self.dataset.read_many(indices, [None] * len(indices))
            return list(zip(x, y, strict=True))
        except Exception:
            samples: list[Sample | Exception] = []
        for index in indices.tolist():
            try:
                samples.append(self.dataset.read(index, None))
            except Exception as error:
                samples.append(error)
        return samples
