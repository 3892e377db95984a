"""Tables of any length as a source of a stream: some rows are read at a time."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Len

from reprise.datasets.base import Sample
from reprise.datasets.drawing import draw_values
from reprise.datasets.streams.source import Source
from reprise.datasets.tables import (
    Table,
    csv_form,
    csv_table,
    feature_columns,
    features,
    parquet_table,
    readable,
    table_targets,
)
from reprise.datasets.targets import Target, Targets
from reprise.datasets.unlabelled_rows import TableRows
from reprise.errors import UserError
from reprise.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 16_000  # read at a time
_HEAD = 1000  # that are looked at before training


class TableSource(Source):
    """Rows of CSV or Parquet files; each file is a shard.

    A sample is a row's numbers, shape (columns,), float32, and its label.

    Args:
        files: One file, or several with the same columns.
        label: Column of the class; for target 'labels' and 'value' one or several columns.
        target: 'class' (one class), 'labels' (names with `separator` between them, or columns of 0
            and 1) or 'value' (numbers).
        classes: Names in the order of their ids. Needed for classes: which there are is not known
            before the last row. None for 'value', and for columns of 0 and 1.
        columns: Columns of the input; None for all but `label`.
        separator: Between the names in a cell.

    Raises:
        UserError: a file or a column is missing, or the first thousand rows are not as described.
    """

    request = "row"  # as in `BaseDataset`

    def __init__(
        self,
        files: Annotated[str, "file"] | Annotated[list[Annotated[str, "file"]], Len(1)],
        label: str | Annotated[list[str], Len(1)],
        target: Target = "class",
        classes: list[str] | None = None,
        columns: Annotated[list[str], Len(1)] | None = None,
        separator: str = "|",
    ) -> None:
        self.paths = [Path(file) for file in ([files] if isinstance(files, str) else files)]
        self.num_shards = len(self.paths)
        self._label, self._target, self._separator = label, target, separator
        self._classes = classes
        are_flags = target == "labels" and not isinstance(label, str)
        if classes is None and target != "value" and not are_flags:
            raise UserError(
                f"the classes of {self.paths[0]} are not stated",
                "names in the order of their ids: a stream is not read to its end to find them",
                "classes: null",
                "set dataset.source.classes=[…]",
            )
        labels = [label] if isinstance(label, str) else label
        head = next(_chunks(self.paths[0], _HEAD))
        with _own_keys():
            self.target_spec = self._targets(head).spec
            self._columns = feature_columns(head, columns, labels)
            x = features(head, self._columns)
        self.input_spec = Spec(x.shape[1:], "float32", names=tuple(self._columns))
        self.notes = tuple(head.notes)

    @classmethod
    def unlabelled(
        cls,
        given: Sequence[str],
        spec: Spec,
        *,
        columns: Sequence[str] | None = None,
        **settings: Any,
    ) -> TableRows:
        """Rows of tables without targets, as `BaseDataset.unlabelled` says."""
        return TableRows(given, spec, columns)

    def samples(self, shard: int) -> Iterator[Sample]:
        """Read the rows of one file."""
        for x, y in self.blocks(shard):
            yield from zip(x, y, strict=True)

    def blocks(self, shard: int) -> Iterator[Sample]:
        """Read the rows of one file, some thousand at a time."""
        for table in _chunks(self.paths[shard], _ROWS):
            with _own_keys():
                x, y = features(table, self._columns), self._targets(table).values
            yield x, y

    def arrange(self, part: Literal["input", "target"], names: Sequence[str]) -> None:
        if part == "input":
            self._columns = list(names)
            self.input_spec = replace(self.input_spec, names=tuple(names))
        else:
            self._label = list(names)
            self.target_spec = replace(self.target_spec, names=tuple(names))

    def shard_name(self, shard: int) -> str:
        """The file."""
        return str(self.paths[shard])

    def draw(self, axes: "Axes", x: np.ndarray, spec: Spec) -> None:
        """Draw a row: name, number and bar of each column."""
        draw_values(axes, x, spec, self._columns)

    def _targets(self, table: Table) -> Targets:
        return table_targets(table, self._target, self._label, self._separator, self._classes)


@contextmanager
def _own_keys() -> Iterator[None]:
    """Have errors name the keys of a source, where those of a dataset stand."""
    try:
        yield
    except UserError as error:
        key = re.compile(r"\bdataset\.(?=label|target|classes|columns)")
        raise UserError(*(key.sub("dataset.source.", text) for text in error.args)) from error


def _chunks(file: Path, most: int) -> Iterator[Table]:
    """Read a table some rows at a time, at least one row in all."""
    key, count = "dataset.source.files", 0
    tables = _csv(file, most) if file.suffix.lower() == ".csv" else _parquet(file, most)
    while True:
        with readable(file, key):
            table = next(tables, None)
        if table is None:
            break
        if len(table):  # pandas gives one without rows for a header alone
            yield table
            count += len(table)
    if not count:
        remedy = f"correct {key}, or fill the table"
        raise UserError(f"{file} has no row", "a sample in each row", "a header", remedy)


def _csv(file: Path, most: int) -> Iterator[Table]:
    import pandas as pd

    form = csv_form(file)
    with pd.read_csv(file, chunksize=most, **form.arguments) as chunks:
        while True:
            with warnings.catch_warnings():  # not around a yield: others would meet them as errors
                warnings.simplefilter("error", pd.errors.ParserWarning)  # as in read_table
                frame = next(chunks, None)
            if frame is None:
                return
            yield csv_table(file, frame, form)


def _parquet(file: Path, most: int) -> Iterator[Table]:
    from pyarrow.parquet import ParquetFile

    first = 0
    with ParquetFile(file) as opened:
        for batch in opened.iter_batches(most):
            yield parquet_table(file, batch.to_pandas(), first)
            first += batch.num_rows
