"""Matrices from rows (id, row, column, value) of a SQL table: one sample for each id."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Len

from reprise.datasets.base import Sample
from reprise.datasets.decodable import DecodableRows, Decoded
from reprise.datasets.drawing import draw_matrices
from reprise.datasets.moments import standardized
from reprise.datasets.splits import SplitSettings, make_splits
from reprise.datasets.sql.database import Database
from reprise.datasets.sql.reader import CHUNK, Reader
from reprise.datasets.sql.table import Table
from reprise.datasets.sql.unlabelled import SqlMatrices, asked_ids
from reprise.errors import UserError
from reprise.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SqlMatrix(DecodableRows):
    """One matrix for each id of a table of cells (id, row, column, value).

    A sample is the matrix, shape (*size, values), float32, in the table's own unit, and as its
    target the same without `noise`, or the matrix of other columns. A cell that has no row is 0,
    and so is all of the matrix of an id that has none.

    Args:
        url: Of the database, as SQLAlchemy writes it: sqlite:///FILE, mysql+mysqldb://USER@HOST/NAME.
        table: Name of a table or a view; a schema may stand before it: `schema.name`.
        size: Rows and columns of a matrix.
        columns: Names of the columns with the cell's id (key), its row, and its column; both count
            from 0.
        values: Columns that hold the cell's values: the last axis of the input.
        targets: Columns of the target; None for those of `values`.
        ids: File with an id in a line; None for every id that has a row.
        password_variable: Environment variable with the password, for a URL without one.
        bounds: Least and greatest value, for all columns: models see -1 to 1. None for the mean and
            deviation of each column's cells in the train split, for which all of it is read once.
        noise: Standard deviation of the noise added to the input, in the values' unit; outside of
            training a sample's noise is always the same.
        noise_seed: Moves the noise outside of training.
        nulls: A value that is NULL is an error, or 0.
        duplicates: Several rows for a cell are an error, or the last by `order` counts (of equals
            the greatest value), or their sum.
        order: For 'last', the column whose greatest value is the last; NULL comes first.
        outside: A row or column beyond `size` (or NULL) is an error, or such rows are dropped.
        retry_s: How long to try to connect again after a lost connection, in seconds.
        split: 'train', 'valid' and 'test', each a fraction of the ids, or a text file with one id
            in a line; None for 'test' alone.
        split_seed: Moves ids between splits by fraction. `seed` does not.

    Raises:
        UserError: the database, the table or the settings are not as described.
    """

    def __init__(
        self,
        url: Annotated[str, "database"],
        table: str,
        size: Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)],
        columns: dict[Literal["key", "row", "column"], str],
        values: Annotated[list[str], Len(1)],
        split: SplitSettings,
        targets: Annotated[list[str], Len(1)] | None = None,
        ids: Annotated[str, "file"] | None = None,
        password_variable: str = "DB_PASSWORD",
        bounds: Annotated[list[float], Len(2, 2)] | None = None,
        noise: Annotated[float, Ge(0)] = 0.0,
        noise_seed: Annotated[int, Ge(0)] = 0,
        nulls: Literal["error", "zero"] = "error",
        duplicates: Literal["error", "last", "sum"] = "error",
        order: str | None = None,
        outside: Literal["error", "drop"] = "error",
        retry_s: Annotated[float, Ge(0)] = 60.0,
        split_seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        if bounds and not bounds[0] < bounds[1]:
            raise UserError(
                "dataset.bounds leaves no room for values",
                "the least value, and a greater one",
                f"[{bounds[0]:g},{bounds[1]:g}]",
                "for instance dataset.bounds=[-7,7]; null learns the scale from the train split",
            )
        if set(columns) != {"key", "row", "column"} or len(set(columns.values())) < len(columns):
            raise UserError(
                "dataset.columns does not name the three columns of a cell's place",
                "key, row and column, each another column of the table",
                ", ".join(f"{role}: {column}" for role, column in columns.items()) or "nothing",
                "for instance dataset.columns.key=user_id dataset.columns.row=y "
                "dataset.columns.column=x",
            )
        names = Table(
            table,
            columns["key"],
            columns["row"],
            columns["column"],
            tuple(dict.fromkeys([*values, *(targets or [])])),
            (size[0], size[1]),
            duplicates,
            order,
            zero_nulls=nulls == "zero",
            drop_outside=outside == "drop",
        )
        database = Database(url, password_variable, retry_s)
        self._reader = Reader(database, names, ids)
        self._inputs = [names.values.index(name) for name in values]
        self._targets = [names.values.index(name) for name in targets or values]
        self._files = [Path(file) for file in (ids, *split.values()) if isinstance(file, str)]
        self._split, self._split_seed = dict(split), split_seed
        self._noise, self._noise_seed = noise, noise_seed
        self._columns, self._bounds = names.values, bounds
        given, wanted = tuple(values), tuple(targets or values)
        self.input_spec = Spec((*size, len(given)), "float32", names=given)
        self.target_spec = Spec((*size, len(wanted)), "float32", names=wanted)
        self.decoded = (Spec((*size, len(names.values)), "float32"),)
        self.recipe = repr((str(database), names))

    @classmethod
    def unlabelled(cls, given: Sequence[str], spec: Spec, **settings: Any) -> SqlMatrices:
        """Inputs as `BaseDataset.unlabelled` says, without noise."""
        named = {"values": list(spec.names or settings["values"]), "targets": None}
        found = cls(**{**settings, **named, "ids": None, "split": {}})
        reader = found._reader
        return SqlMatrices(reader, settings["columns"]["key"], spec, asked_ids(given, reader))

    def __len__(self) -> int:
        return len(self._reader.ids)

    def decode_many(self, indices: np.ndarray) -> Decoded:
        return (self._reader.read(indices),)

    def finish_many(
        self, arrays: Decoded, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]
    ) -> Sample:
        matrices, parts = arrays[0], (self._inputs, self._targets)
        every = list(range(matrices.shape[-1]))  # is taken without a copy
        x, y = (matrices if wanted == every else matrices[..., wanted] for wanted in parts)
        if self._noise:
            x = x.copy()
            for at, index in enumerate(indices.tolist()):
                rng = rngs[at] or np.random.default_rng([self._noise_seed, index, 0, 0, 2])
                x[at] += self._noise * rng.standard_normal(x.shape[1:], np.float32)
        return x, y

    def name(self, index: int) -> str:
        return self._reader.name(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        keys = {str(one): at for at, one in enumerate(self._reader.ids.tolist())}
        keys |= {self.name(at): at for at in range(len(self))}
        return make_splits(keys, range(len(self)), self._split, self._split_seed)

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        return self._reader.problems(indices) if thorough else []

    def learn(self, train: np.ndarray) -> Mapping[str, Any]:
        (spec,) = self.decoded
        if self._bounds:
            (low, high), count = self._bounds, len(self._columns)
            middle, half = (low + high) / 2, (high - low) / 2
            spec = replace(spec, offset=(middle,) * count, scale=(half,) * count)
        else:
            parts = (train[at : at + CHUNK] for at in range(0, len(train), CHUNK))
            spec = standardized(spec, map(self._reader.read, parts))
        self.input_spec = _scaled(self.input_spec, spec, self._inputs)
        self.target_spec = _scaled(self.target_spec, spec, self._targets)
        scales = zip(self._columns, spec.offset, spec.scale, strict=True)
        return {name: {"offset": offset, "scale": scale} for name, offset, scale in scales}

    def arrange(self, part: Literal["input", "target"], names: Sequence[str]) -> None:
        order = [self._columns.index(name) for name in names]
        if part == "input":
            self._inputs, self.input_spec = order, replace(self.input_spec, names=tuple(names))
        else:
            self._targets, self.target_spec = order, replace(self.target_spec, names=tuple(names))

    @property
    def notes(self) -> Sequence[str]:
        return self._reader.notes

    @property
    def sources(self) -> Sequence[Path]:
        return (*self._reader.database.files, *self._files)

    @property
    def stamp(self) -> str:
        return self._reader.stamp

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        matrices = {"input": x, "target": y}
        if prediction is not None:
            matrices["answer"] = prediction
        draw_matrices(axes, matrices)


def _scaled(spec: Spec, columns: Spec, places: Sequence[int]) -> Spec:
    """`spec` with the offset and scale of these entries of `columns`."""
    offset = tuple(columns.offset[place] for place in places)
    return replace(spec, offset=offset, scale=tuple(columns.scale[place] for place in places))
