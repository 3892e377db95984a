"""Arrays in NumPy's files: pictures or rows of numbers in memory, or mapped into it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Interval

from reprise.datasets.base import Dataset, Sample
from reprise.datasets.npy.inputs import (
    input_spec,
    is_learnable,
    not_finite,
    require_pictures,
)
from reprise.datasets.npy.labels import array_targets
from reprise.datasets.npy.rows import open_rows
from reprise.datasets.splitting.given import split_before_test
from reprise.datasets.targets.arrays import Targets, standardized
from reprise.datasets.targets.labels import Target
from reprise.transforms.augment import Augment
from reprise.transforms.place import draw_placement


class Arrays(Dataset):
    """Inputs and labels from one `.npz` file, or from `.npy` files; nothing is ever unpickled.

    A sample is a row of `x`: shape (height, width, channels), where (height, width) becomes
    (height, width, 1), or (features,). Its dtype is the array's, except that float64 becomes
    float32 and bool becomes uint8. uint8 and uint16 are scaled by their dtype's range, other
    numbers by mean and deviation of the train split.

    Args:
        file: A `.npz` file; None where `x`, `y`, `x_test` and `y_test` are `.npy` files.
        x: The inputs: the array's name in `file`, or its own file. Shape (samples, height, width),
            (samples, height, width, channels) or (samples, features), any numbers.
        y: The labels, likewise, of the same length.
        split: 'train', 'valid' and 'test', each a fraction of the samples, a `.npy` file of
            indices, or a text file with an index in a line; test None where `x_test` is given.
        x_test: Inputs of the test set, where it comes as arrays of its own; numbered after `x`.
        y_test: Its labels.
        target: 'class': one id, name or one-hot row each. 'labels': several classes, 0 or 1 for
            each. 'value': a number, or several.
        classes: Names in the order of their ids; None for "0", "1", …, or for the names in `y`.
        memory_map: Leave `.npy` inputs on disk and read what a batch needs.
        split_seed: Moves samples between splits by fraction. `seed` does not.
        augment: Random changes in training, for pictures in uint8 or uint16; or None.

    Raises:
        UserError: the arrays or the settings are not as described.
    """

    in_memory = True

    def __init__(
        self,
        file: Annotated[str, "file"] | None,
        x: str,
        y: str,
        split: dict[
            Literal["train", "valid", "test"],
            Annotated[float, Interval(ge=0, le=1)] | Annotated[str, "file"] | None,
        ],
        x_test: str | None = None,
        y_test: str | None = None,
        target: Target = "class",
        classes: list[str] | None = None,
        memory_map: bool = False,
        split_seed: Annotated[int, Ge(0)] = 0,
        augment: Augment | None = None,
    ) -> None:
        names = {"x": x, "y": y, "x_test": x_test, "y_test": y_test}
        self._x, self._y = open_rows(file, names, memory_map=memory_map)
        self._target: Target = target
        self._classes = classes
        self._split = dict(split)
        self._split_seed = split_seed
        self._augment = None if augment is None or augment.is_idle else augment
        self._targets: Targets | None = None
        self.input_spec = input_spec(self._x)
        self.target_spec = self._read_targets().spec
        if self._augment:
            require_pictures(self.input_spec)

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
        return x, self._read_targets().values[indices]

    def name(self, index: int) -> str:
        return self._x.name(index)

    def label(self, index: int) -> int | None:
        return self._read_targets().label(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        listed = any(isinstance(value, str) for value in self._split.values())
        keys = {str(index): index for index in range(len(self))} if listed else {}
        num_test = len(self._x) - self._x.files[0].shape[0]
        return split_before_test(keys, range(len(self)), self._split, self._split_seed, num_test)

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        is_quick = not self._x.memory_map
        return not_finite(self._x, np.sort(indices)) if thorough or is_quick else []

    def learn(self, train: np.ndarray) -> Mapping[str, Any]:
        self.target_spec, learned = self._read_targets().learned(train)
        if not is_learnable(self.input_spec):
            return learned
        chunks = (rows for _, rows in self._x.chunks(np.sort(train)))
        spec = self.input_spec = standardized(self.input_spec, chunks)
        return {"offset": list(spec.offset), "scale": list(spec.scale), **learned}

    @property
    def sources(self) -> Sequence[Path]:
        arrays = [file.path for file in (*self._x.files, *self._y.files)]
        lists = [Path(value) for value in self._split.values() if isinstance(value, str)]
        return tuple(dict.fromkeys([*arrays, *lists]))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_targets": None}  # a copy reads them again

    def _read_targets(self) -> Targets:
        if self._targets is None:
            everything = np.arange(len(self._y))
            place = self._y.name
            self._targets = array_targets(self._y[everything], self._target, self._classes, place)
        return self._targets
