"""Rows of arrays in NumPy's files, without targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.array_files import Rows, find_array
from reprise.datasets.base import Sample
from reprise.datasets.unlabelled import Unlabelled
from reprise.errors import UserError
from reprise.spec import Spec


class ArrayRows(Unlabelled):
    """Rows of `.npy` files, or of an array in a `.npz` file.

    Args:
        given: One `.npy` or `.npz` file.
        spec: Of the run's input.
        name: Of the array in a `.npz` file, unless it holds only one.
        channels_first: Whether the file has (rows, channels, height, width).
        memory_map: Leave a `.npy` file on disk.

    Raises:
        UserError: there is no such array, or its rows have another shape.
    """

    in_memory = True

    def __init__(
        self,
        given: Sequence[str],
        spec: Spec,
        name: str,
        *,
        channels_first: bool,
        memory_map: bool,
    ) -> None:
        if len(given) != 1:
            raise UserError(
                "several arrays are asked for at once",
                "one .npy or .npz file",
                ", ".join(given),
                "call predict for each",
            )
        is_packed = given[0].lower().endswith(".npz")
        if is_packed and Path(given[0]).is_file():
            names = list(np.load(given[0]))
            name = names[0] if len(names) == 1 else name
        array = (
            find_array(given[0], name, "input")
            if is_packed
            else find_array(None, given[0], "input")
        )
        self._rows = Rows([array], memory_map=memory_map and not is_packed)
        self._rows.channels_first = channels_first
        self.input_spec = spec
        shape = self._rows.shape
        if shape not in (spec.shape, spec.shape[:-1] if spec.shape[-1:] == (1,) else None):
            raise UserError(
                f"the rows of {array.name} in {given[0]} are not what the model was trained on",
                f"rows of shape {spec.shape}, {spec.dtype}",
                f"{shape}, {array.dtype}",
                "bring them to this shape, in the unit and range of the training data",
            )
        if np.dtype(spec.dtype).kind == "u" and array.dtype not in (spec.dtype, bool):
            raise UserError(
                f"{array.name} in {given[0]} holds other numbers than the model was trained on",
                f"{spec.dtype}, 0 to {np.iinfo(spec.dtype).max}",
                f"{array.dtype}",
                f"give them in {spec.dtype}, in the range of the training data",
            )

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, index: int) -> str:
        return self._rows.name(index)

    def came_in(self) -> dict[str, Sequence[Any]]:
        return {"row": range(len(self))}

    def read_input(self, index: int) -> np.ndarray:
        return self.read_many(np.array([index]), ())[0][0]

    def read_many(self, indices: np.ndarray, rngs: Sequence[Any]) -> Sample:
        shape = (len(indices), *self.input_spec.shape)
        x = self._rows[indices].astype(self.input_spec.dtype, copy=False).reshape(shape)
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            raise UserError(
                f"{self.name(int(indices[0]))} holds NaN or infinity",
                "finite numbers",
                "others",
                "correct the row",
            )
        return x, np.zeros((len(x), 0), np.uint8)
