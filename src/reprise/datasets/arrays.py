"""Arrays in NumPy's files: images or rows of numbers, in memory or mapped into it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from reprise.datasets.array_files import Rows, open_rows
from reprise.datasets.base import Dataset, Sample
from reprise.datasets.moments import Moments, standardized
from reprise.datasets.precision import is_coarse, require_apart
from reprise.datasets.splits import SplitSettings, listed_files, make_splits
from reprise.datasets.targets import (
    Place,
    Target,
    Targets,
    class_targets,
    flag_targets,
    id_targets,
    value_targets,
)
from reprise.datasets.unlabelled_arrays import ArrayRows
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.augment import Augment
from reprise.transforms.place import draw_placement

_IMAGES = ("uint8", "uint16")  # scaled by the dtype's range, other numbers by mean and deviation
_MOST_CHANNELS = 4  # that a picture usually has: shorter axes than any height
_LOOKED_AT = 100  # rows
_DARK = {1: 1, 2: 255}  # by bytes of a number: the largest value of what has another scale
_FORMS = {
    "class": "ids or names, shape (samples,) or (samples, 1); or one 1 in each row of "
    "(samples, classes)",
    "labels": "0 and 1, shape (samples, classes)",
    "value": "numbers, shape (samples,) or (samples, values)",
}


class Arrays(Dataset):
    """Inputs and labels from one `.npz` file, or from `.npy` files; nothing is ever unpickled.

    A sample is a row of `x`: shape (height, width, channels), where (height, width) becomes
    (height, width, 1), or (features,). Its dtype is the array's, except that float64 becomes
    float32 and bool becomes uint8. uint8 and uint16 are scaled by their dtype's range, other
    numbers by mean and deviation of the train split.

    Args:
        file: A `.npz` file; None if `x`, `y`, `x_test` and `y_test` are `.npy` files.
        x: Inputs: the array's name in `file`, or its own file. Shape (samples, height, width),
            (samples, height, width, channels) or (samples, features), any numbers.
        y: The labels, likewise, of the same length.
        split: 'train', 'valid' and 'test', each a fraction of the samples, a `.npy` file of
            indices, or a text file with an index in a line; test is None if `x_test` is given.
        x_test: Inputs of a test set in arrays of its own, numbered after `x`; or None.
        y_test: Labels of this test set.
        target: 'class': one id, name or one-hot row each. 'labels': several classes, 0 or 1 for
            each. 'value': a number, or several.
        classes: Names in the order of their ids; None for "0", "1", …, or for the names in `y`.
        memory_map: Leave `.npy` inputs on disk and read what a batch needs.
        channels_first: Inputs are (samples, channels, height, width), as PyTorch has them, and
            become (height, width, channels); None refuses shapes that look like it.
        split_seed: Seed of splits by fraction, which do not depend on `seed`.
        augment: Random changes in training, for images in uint8 or uint16; or None.

    Raises:
        UserError: the arrays or the settings are not as described.
    """

    in_memory = True

    def __init__(
        self,
        file: Annotated[str, "file"] | None,
        x: str,
        y: str,
        split: SplitSettings,
        x_test: str | None = None,
        y_test: str | None = None,
        target: Target = "class",
        classes: list[str] | None = None,
        memory_map: bool = False,
        channels_first: bool | None = None,
        split_seed: Annotated[int, Ge(0)] = 0,
        augment: Augment | None = None,
    ) -> None:
        names = {"x": x, "y": y, "x_test": x_test, "y_test": y_test}
        self._x, self._y = open_rows(file, names, memory_map=memory_map)
        self._x.channels_first = is_channels_first(self._x, channels_first)
        self._split = dict(split)
        self._split_seed = split_seed
        self._is_chosen = channels_first is not None
        self._augment = None if augment is None or augment.is_idle else augment
        self.input_spec = spec = input_spec(self._x)
        self._target: Target = target
        self._classes = classes
        self.target_spec = self._targets.spec
        is_image = spec.dtype in _IMAGES and len(spec.shape) == 3 and spec.shape[2] <= 4
        if self._augment and not is_image:
            raise UserError(
                "dataset.augment changes pictures, and dataset.x holds none",
                "uint8 or uint16, shape (samples, height, width[, channels]), at most 4 channels",
                f"{spec.dtype}, a sample's shape {spec.shape}",
                "set dataset.augment=null",
            )

    @classmethod
    def unlabelled(
        cls,
        given: Sequence[str],
        spec: Spec,
        *,
        x: str = "x",
        channels_first: bool | None = None,
        memory_map: bool = False,
        **settings: Any,
    ) -> ArrayRows:
        first = bool(channels_first)
        return ArrayRows(given, spec, x, channels_first=first, memory_map=memory_map)

    def __len__(self) -> int:
        return len(self._x)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        x, y = self.read_many(np.array([index]), [rng])
        return x[0], np.asarray(y[0])

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        shape = (len(indices), *self.input_spec.shape)
        x = self._x[indices].astype(self.input_spec.dtype, copy=False).reshape(shape)
        if self._augment:
            for at in range(len(x)):
                if (rng := rngs[at]) is not None:
                    size = (shape[1], shape[2])
                    placement = draw_placement(size, size, "resize", self._augment, rng)
                    x[at] = placement.image(x[at])
        return x, self._targets.values[indices]

    def name(self, index: int) -> str:
        return self._x.name(index)

    def label(self, index: int) -> int | None:
        return self._targets.label(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        listed = any(isinstance(value, str) for value in self._split.values())
        keys = {str(index): index for index in range(len(self))} if listed else {}
        num_test = len(self._x) - self._x.files[0].shape[0]
        return make_splits(keys, range(len(self)), self._split, self._split_seed, num_test)

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        """Look for NaN and infinity, and for numbers that float32 merges.

        In a memory map, which is on disk, only if `thorough`.
        """
        if self._x.memory_map and not thorough:
            return []
        is_float = self._x.dtype.kind == "f"
        found = [
            f"{self.name(int(at))}: expected finite numbers; received NaN or infinity"
            for some, values in self._x.chunks(np.sort(indices) if is_float else indices[:0])
            for at in some[~np.isfinite(values.reshape(len(values), -1)).all(axis=1)]
        ]
        if not found:
            self._refuse_merged(indices)
        return found

    def _refuse_merged(self, indices: np.ndarray) -> None:
        """Raise a UserError where float32 merges the numbers of an entry of the last axis."""
        if self._x.dtype.itemsize < 4 or self._x.dtype == np.float32:
            return
        entries, moments = self.input_spec.shape[-1], Moments(self.input_spec)
        largest = np.zeros(entries)
        for _, rows in self._x.chunks(indices):
            moments.add(rows)
            flat = rows.reshape(-1, entries)
            largest = np.maximum(largest, np.maximum(flat.max(0), -flat.min(0).astype(float)))
        scale = moments.onto(self.input_spec).scale
        for entry in np.flatnonzero(is_coarse(largest, np.array(scale))).tolist():
            parts = [rows.reshape(-1, entries)[:, entry] for _, rows in self._x.chunks(indices)]
            name = f"{self._x.files[0].name}[..., {entry}]"
            require_apart(np.concatenate(parts), f"dataset.x: the numbers in {name}")

    def learn(self, train: np.ndarray) -> Mapping[str, Any]:
        self.target_spec, learned = self._targets.learned(train)
        if self.input_spec.dtype in _IMAGES:
            return learned
        chunks = (rows for _, rows in self._x.chunks(np.sort(train)))
        spec = self.input_spec = standardized(self.input_spec, chunks)
        return {"offset": list(spec.offset), "scale": list(spec.scale), **learned}

    @property
    def notes(self) -> Sequence[str]:
        name, dtype = self._x.files[0].name, self._x.dtype
        notes = []
        if dtype.name in _IMAGES:
            largest = int(self._x[np.linspace(0, len(self) - 1, _LOOKED_AT, dtype=int)].max())
            if largest <= _DARK[dtype.itemsize]:
                full = np.iinfo(dtype).max
                notes.append(
                    f"{name} is {dtype} and at most {largest}, as far as was looked; models see it "
                    f"divided by {full}; save it as bool, uint8 or float32 to have it otherwise"
                )
        if not self._is_chosen and may_be_channels_first(self._x.shape):
            height, width, channels = self._x.shape
            notes.append(
                f"{name} is read as pictures of height {height}, width {width}, {channels} "
                "channels; where its channels come first, set dataset.channels_first=true"
            )
        return notes

    @property
    def sources(self) -> Sequence[Path]:
        arrays = [file.path for file in (*self._x.files, *self._y.files)]
        return tuple(dict.fromkeys([*arrays, *listed_files(self._split)]))

    @cached_property
    def _targets(self) -> Targets:
        labels = self._y[np.arange(len(self._y))]
        return array_targets(labels, self._target, self._classes, self._y.name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_targets"}


def may_be_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether a row of this shape may be a picture in either order of its axes."""
    if len(shape) != 3 or max(shape[0], shape[2]) > _MOST_CHANNELS:
        return False
    return shape[0] != shape[1] or shape[1] == shape[2]


def is_channels_first(rows: Rows, chosen: bool | None) -> bool:
    """Whether the first axis of a row holds channels, as the user says or its shape does not deny.

    Raises:
        UserError: it has the shape of a picture with channels first, and nothing is chosen; or it
            has no channels.
    """
    shape = rows.shape
    if len(shape) != 3:
        if chosen:
            what, remedy = "dataset.channels_first=true has no effect", "set it to null"
            raise UserError(
                what, "x of shape (samples, channels, height, width)", f"{shape}", remedy
            )
        return False
    first, middle, last = shape
    looks_first = first <= _MOST_CHANNELS < min(middle, last) or first != middle == last
    if chosen is None and looks_first:
        raise UserError(
            f"dataset.x: {rows.files[0].name} looks like pictures with their channels first",
            "shape (samples, height, width, channels)",
            f"shape {rows.files[0].shape}: height {first}, width {middle}, {last} channels",
            "set dataset.channels_first=true where the axes are (samples, channels, height, "
            "width), as PyTorch has them; false where they are not",
        )
    return bool(chosen)


def input_spec(rows: Rows) -> Spec:
    """The spec of a sample: a grey image gets a last axis, float64 and bool another dtype.

    Raises:
        UserError: the rows are no numbers, or have neither one, two nor three axes.
    """
    if rows.dtype.kind not in "biuf" or len(rows.shape) not in (1, 2, 3) or 0 in rows.shape:
        raise UserError(
            f"dataset.x: {rows.files[0].name} holds no inputs",
            "numbers, shape (samples, height, width), (samples, height, width, channels) or "
            "(samples, features)",
            f"{rows.dtype}, shape {rows.files[0].shape}",
            "reshape or convert the array, and save it again",
        )
    shape = (*rows.shape, 1) if len(rows.shape) == 2 else rows.shape
    dtype = rows.dtype.newbyteorder("=")
    if dtype.kind == "b":
        return Spec(shape, "uint8", scale=(1.0,))
    if dtype.kind == "f" and dtype.itemsize > 4:
        dtype = np.dtype("float32")
    return Spec(shape, dtype.name)


def array_targets(
    y: np.ndarray, target: Target, classes: Sequence[str] | None, place: Place
) -> Targets:
    """Make the targets of an array of labels, which has the form that `_FORMS` gives for `target`.

    Raises:
        UserError: `y` has another form, or a sample's label is wrong; it is named.
    """
    if target == "class" and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    is_number, ndim = y.dtype.kind in "biuf", y.ndim
    if target == "class" and y.dtype.kind == "U" and ndim == 1:
        return class_targets(y.tolist(), classes, place)
    if target == "class" and y.dtype.kind in "biu" and ndim == 1:
        return id_targets(y.astype(np.int64), classes, place)
    if target == "class" and is_number and ndim == 2:
        return _one_hot(y, classes, place)
    if target == "labels" and is_number and ndim == 2:
        return flag_targets(y, classes, place)
    if target == "value" and is_number and ndim in (1, 2):
        return value_targets(y, place)
    raise UserError(
        f"dataset.y does not fit dataset.target={target}",
        _FORMS[target],
        f"{y.dtype}, shape {y.shape}",
        "set dataset.target=class, labels or value, as the array is; or convert it",
    )


def _one_hot(y: np.ndarray, classes: Sequence[str] | None, place: Place) -> Targets:
    flags = flag_targets(y, classes, place)
    wrong = np.flatnonzero(flags.values.sum(axis=1) != 1)
    if len(wrong):
        at = int(wrong[0])
        raise UserError(
            f"{place(at)}: {flags.values[at].sum()} classes at once",
            "one 1 in each row, for dataset.target=class",
            str(y[at].tolist()),
            "set dataset.target=labels where several may hold, or correct the row",
        )
    return id_targets(flags.values.argmax(axis=1), flags.spec.classes, place)
