"""From the columns of a table to the target of each row."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from reprise.datasets.tables.quick import quick_names
from reprise.datasets.tables.reading import Table
from reprise.datasets.targets.arrays import Targets
from reprise.datasets.targets.labels import (
    Target,
    class_targets,
    flag_targets,
    label_targets,
    value_targets,
)
from reprise.errors import UserError

KEY = "dataset.label"


def table_targets(
    table: Table,
    target: Target,
    label: str | Sequence[str],
    separator: str,
    classes: Sequence[str] | None,
) -> Targets:
    """Make the targets of a table's rows.

    Args:
        table: With a sample in each row.
        target: 'class': `label` is a column of names or ids. 'labels': a column of names with
            `separator` between them (none in an empty cell), or columns of 0 and 1, named as the
            classes. 'value': a column, or columns, of numbers.
        label: The column or columns.
        separator: For 'labels' in one column.
        classes: Names in the order of their ids, or None for those that occur.

    Raises:
        UserError: a column is missing, `target` takes no such columns, or a cell has no label.
    """
    columns = [label] if isinstance(label, str) else list(label)
    if not columns or (target == "class" and len(columns) > 1):
        raise UserError(
            f"{KEY} does not fit dataset.target={target}",
            "one column for a class; one or several for labels and values",
            str(columns),
            f"correct {KEY}, or set dataset.target=labels",
        )
    if target == "value":
        numbers = [table.numbers(column, KEY) for column in columns]
        values = numbers[0] if isinstance(label, str) else np.stack(numbers, axis=1)
        return value_targets(values, table.place)
    if target == "labels" and not isinstance(label, str):
        return _from_columns(table, columns, classes)
    if target == "class":
        return _one_class(table, columns[0], classes)
    texts = table.texts(columns[0], KEY)
    sets = [{name.strip() for name in text.split(separator)} - {""} for text in texts]
    return label_targets(sets, classes, table.place)


def _one_class(table: Table, column: str, classes: Sequence[str] | None) -> Targets:
    if quick := quick_names(table.frame.get(column)):
        places, names = quick
        with suppress(UserError):  # which would name a wrong row
            targets = class_targets(names, classes, table.place)
            return Targets(targets.values[places], targets.spec)
    return class_targets(table.texts(column, KEY), classes, table.place)


def _from_columns(table: Table, columns: list[str], classes: Sequence[str] | None) -> Targets:
    """Labels from columns of 0 and 1, which have the names of the classes."""
    if classes is not None and list(classes) != columns:
        raise UserError(
            f"dataset.classes names other classes than {KEY}",
            f"the names of the columns, {columns}, or null",
            str(list(classes)),
            "set dataset.classes=null",
        )
    flags = np.stack([table.numbers(column, KEY) for column in columns], axis=1)
    return flag_targets(flags, columns, table.place)
