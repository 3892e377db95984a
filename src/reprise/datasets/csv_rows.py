"""Rows of a table in memory: numbers as inputs; a class, labels or values as target."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Len

from reprise.datasets.base import Dataset, Sample
from reprise.datasets.drawing import draw_values, write_target
from reprise.datasets.moments import standardized
from reprise.datasets.splits import SplitSettings, listed_files, make_splits, split_by_words
from reprise.datasets.tables import feature_columns, features, read_table, table_targets
from reprise.datasets.targets import Target
from reprise.datasets.unlabelled_rows import TableRows
from reprise.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class CsvRows(Dataset):
    """Rows of a CSV or Parquet file, in memory.

    A sample is a row's numbers, shape (columns,), float32, in the table's own units, and its
    target: a class id, int32; 0 or 1 for each of several classes, uint8; or values, float32.

    Args:
        table: CSV with a header, separated by commas, semicolons, tabs or bars; or Parquet.
        split: 'train', 'valid' and 'test', each a fraction of the rows, or a text file with the
            number of a row in each line (in a CSV as an editor counts, the header being 1), and
            for test None; or the name of a column of these words.
        columns: Columns of the input; None for all without another meaning.
        target: 'class': `label` is a column of names or ids. 'labels': a column of names, or
            columns of 0 and 1. 'value': a column, or several, of numbers.
        label: Column, or columns.
        separator: Between the names in a column of labels.
        classes: Names in the order of their ids; None for those that occur, sorted.
        group: Column of groups, each of which splits by fraction keep in one split; or None.
        split_seed: Seed of splits by fraction, which do not depend on `seed`.

    Raises:
        UserError: the table, a row of it, or a setting is not as described.
    """

    request = "row"

    in_memory = True

    def __init__(
        self,
        table: Annotated[str, "file"],
        split: SplitSettings | str,
        columns: Annotated[list[str], Len(1)] | None = None,
        target: Target = "class",
        label: str | Annotated[list[str], Len(1)] = "label",
        separator: Annotated[str, Len(1)] = "|",
        classes: list[str] | None = None,
        group: str | None = None,
        split_seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        read = read_table(table, "dataset.table")
        others = {label} if isinstance(label, str) else set(label)
        others |= {name for name in (group, split) if isinstance(name, str)}
        self._targets = table_targets(read, target, label, separator, classes)
        self._columns = feature_columns(read, columns, others)
        self._x = features(read, self._columns)
        self._table, self._split, self._split_seed = Path(table), split, split_seed
        self._places = [read.place(at).removeprefix(f"{read.file}, ") for at in range(len(read))]
        self._groups = read.groups(group, "dataset.group") if group else None
        if isinstance(split, str):
            self._given = split_by_words(read.present(split, "dataset.split"), read.place)
        self._notes = tuple(read.notes)
        self.input_spec = Spec(self._x.shape[1:], "float32", names=tuple(self._columns))
        self.target_spec = self._targets.spec

    @classmethod
    def unlabelled(
        cls,
        given: Sequence[str],
        spec: Spec,
        *,
        columns: Sequence[str] | None = None,
        **settings: Any,
    ) -> TableRows:
        return TableRows(given, spec, columns)

    def __len__(self) -> int:
        return len(self._x)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        return self._x[index].copy(), np.array(self._targets.values[index])

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        return self._x[indices], self._targets.values[indices]

    def name(self, index: int) -> str:
        return f"{self._table.name}, {self._places[index]}"

    def group(self, index: int) -> str:
        return self._groups[index] if self._groups else self.name(index)

    def label(self, index: int) -> int | None:
        return self._targets.label(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        if isinstance(self._split, str):
            return self._given
        keys = {place.split()[-1]: at for at, place in enumerate(self._places)}
        groups = self._groups or self._places
        return make_splits(keys, groups, self._split, self._split_seed)

    def learn(self, train: np.ndarray) -> Mapping[str, Any]:
        self.input_spec = standardized(self.input_spec, [self._x[train]])
        self.target_spec, learned = self._targets.learned(train)
        return {
            "offset": dict(zip(self._columns, self.input_spec.offset, strict=True)),
            "scale": dict(zip(self._columns, self.input_spec.scale, strict=True)),
            **learned,
        }

    def arrange(self, part: Literal["input", "target"], names: Sequence[str]) -> None:
        if part == "target":
            self._targets = self._targets.arranged(names)
            self.target_spec = self._targets.spec
            return
        self._x = self._x[:, [self._columns.index(name) for name in names]]
        self._columns = list(names)
        self.input_spec = replace(self.input_spec, names=tuple(names))

    @property
    def notes(self) -> Sequence[str]:
        return self._notes

    @property
    def sources(self) -> Sequence[Path]:
        return (self._table, *listed_files(self._split))

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        draw_values(axes, x, self.input_spec, self._columns)
        write_target(axes, self.target_spec, y, prediction)
