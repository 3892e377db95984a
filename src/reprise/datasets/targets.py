"""Targets of samples, made from names, ids, flags or values."""

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from reprise.datasets.moments import Counts, standardized
from reprise.datasets.precision import require_apart
from reprise.datasets.splits import Place, seen
from reprise.errors import UserError
from reprise.spec import Spec

Target = Literal["class", "labels", "value"]
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
_WHOLE = re.compile(r"\d+(\.0*)?", re.ASCII)
_MOST_CLASSES = 1 << 16  # greater ids are taken for values or a mistake, unless classes are named


@dataclass(frozen=True)
class Targets:
    """The target of every sample of a dataset.

    Args:
        values: Class ids, shape (samples,), int32; or 0 and 1, shape (samples, classes), uint8; or
            values, shape (samples, *spec.shape), float32.
        spec: Of one target.
    """

    values: np.ndarray
    spec: Spec

    def label(self, index: int) -> int | None:
        """The class id of a sample; None if its target is not one class."""
        return int(self.values[index]) if self.spec.kind == "class" else None

    def arranged(self, names: Sequence[str]) -> "Targets":
        """The same values in this order of the spec's names."""
        order = [self.spec.names.index(name) for name in names]
        return Targets(self.values[:, order], replace(self.spec, names=tuple(names)))

    def learned(self, train: np.ndarray) -> tuple[Spec, dict[str, Any]]:
        """Learn from the train split, of which `train` are the indices.

        Returns:
            The spec with `counts` of its classes; or, for values, with the mean as `offset` and
            the standard deviation as `scale` of each entry of the last axis. And the same by name,
            for the record.
        """
        own = self.values[train]
        if not self.spec.classes:
            spec = standardized(self.spec, [own])
            return spec, {"target_offset": list(spec.offset), "target_scale": list(spec.scale)}
        counts = Counts(self.spec)
        counts.add(own)
        spec = counts.onto(self.spec)
        return spec, {"counts": dict(zip(spec.classes, spec.counts, strict=True))}


def class_targets(names: Sequence[str], classes: Sequence[str] | None, place: Place) -> Targets:
    """Make targets of one class from names.

    Args:
        names: Class of each sample. If all are whole numbers and none is in `classes`, they are
            ids.
        classes: Names in the order of the ids; None for the names that occur, sorted (whole
            numbers by size). Unicode forms of one text are one name.

    Raises:
        UserError: a sample has no class, or one that is not in `classes`; or two names differ in
            case, in blanks or in how a number is written alone, and `classes` does not have both.
    """
    if missing := [at for at, name in enumerate(names) if not name]:
        raise _no_class(place, missing, "an empty cell", classes)
    distinct = set(names)
    if (
        classes is not None
        and distinct.isdisjoint(classes)
        and all(map(_WHOLE.fullmatch, distinct))
    ):
        return id_targets(np.array([int(name.partition(".")[0]) for name in names]), classes, place)
    meant = _meant(distinct, classes, lambda name: place(names.index(name)))
    if classes is None:
        found = set(meant.values())
        are_numbers = all(name.isascii() and name.isdigit() for name in found)
        classes = sorted(found, key=int) if are_numbers else sorted(found)
    ids = {name: number for number, name in enumerate(classes)}
    if unknown := [at for at, name in enumerate(names) if meant[name] not in ids]:
        raise _no_class(place, unknown, f"'{names[unknown[0]]}'", classes)
    values = np.array([ids[meant[name]] for name in names], np.int32)
    return Targets(values, Spec((), "int32", tuple(classes)))


def id_targets(ids: np.ndarray, classes: Sequence[str] | None, place: Place) -> Targets:
    """Make targets of one class from ids.

    Args:
        ids: Shape (samples,), whole numbers from 0.
        classes: Their names; None for "0" to the largest of `ids`.

    Raises:
        UserError: an id is negative, or has no name in `classes`.
    """
    highest = min(int(ids.max()), _MOST_CLASSES)
    names = tuple(map(str, range(highest + 1)) if classes is None else classes)
    wrong = np.flatnonzero((ids < 0) | (ids >= len(names)))
    if len(wrong):
        raise _no_class(place, wrong.tolist(), str(ids[wrong[0]]), names)
    return Targets(ids.astype(np.int32), Spec((), "int32", names))


def label_targets(
    labels: Sequence[Collection[str]], classes: Sequence[str] | None, place: Place
) -> Targets:
    """Make targets of several classes, or none, from names.

    Args:
        labels: Names of each sample's classes.
        classes: Names in the order of the target; None for the names that occur, sorted.

    Raises:
        UserError: a name is not in `classes`, or two mean one class (see `class_targets`).
    """
    distinct: set[str] = set().union(*labels)
    meant = _meant(
        distinct,
        classes,
        lambda name: place(next(at for at, own in enumerate(labels) if name in own)),
    )
    names = sorted(set(meant.values())) if classes is None else classes
    ids = {name: number for number, name in enumerate(names)}
    flags = np.zeros((len(labels), len(names)), np.uint8)
    for at, own in enumerate(labels):
        for name in own:
            if meant[name] not in ids:
                raise _no_class(place, [at], f"'{name}'", names)
            flags[at, ids[meant[name]]] = 1
    return Targets(flags, Spec((len(names),), "uint8", tuple(names)))


def flag_targets(flags: np.ndarray, classes: Sequence[str] | None, place: Place) -> Targets:
    """Make targets of several classes from flags.

    Args:
        flags: Shape (samples, classes), 0 and 1 of any dtype.
        classes: A name for each column; None for "0", "1", ….

    Raises:
        UserError: the number of names differs, or a value is neither 0 nor 1.
    """
    names = tuple(map(str, range(flags.shape[1])) if classes is None else classes)
    if len(names) != flags.shape[1]:
        raise UserError(
            "dataset.classes does not fit the labels",
            f"{flags.shape[1]} names, one for each column",
            f"{len(names)} names: {_listed(names)}",
            "name every column, or set dataset.classes=null",
        )
    wrong = np.argwhere((flags != 0) & (flags != 1))
    if len(wrong):
        at, column = wrong[0].tolist()
        received = f"{flags[at, column]} for '{names[column]}'"
        what, remedy = f"{place(at)}: {received} is no label", "correct it, or dataset.target"
        raise UserError(what, "0 or 1 for each class", received, remedy)
    return Targets(flags.astype(np.uint8), Spec((len(names),), "uint8", names))


def value_targets(values: np.ndarray, place: Place) -> Targets:
    """Make targets of numbers in the user's own unit, shape (samples,) or (samples, values).

    Raises:
        UserError: a value is not finite, or float32 merges values.
    """
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        what, received = f"{place(int(wrong[0][0]))}: no value", str(values[tuple(wrong[0])])
        remedy = "fill it in, or take the sample out"
        raise UserError(what, "a finite number for every sample", received, remedy)
    for column in values.reshape(len(values), -1).T:
        require_apart(column, "the values to learn")
    return Targets(values.astype(np.float32), Spec(values.shape[1:], "float32"))


def _meant(
    names: Collection[str], classes: Sequence[str] | None, place: Callable[[str], str]
) -> dict[str, str]:
    """For each name the class that it means: the same text, in whatever Unicode form.

    Args:
        names: Each once.
        classes: As `class_targets` takes them.
        place: Names the first sample that has a name.

    Raises:
        UserError: two of the names mean one class and are other texts, and there are no `classes`.
    """
    texts: dict[str, str] = {}
    for name in sorted(names) if classes is None else classes:
        texts.setdefault(seen(name), name)
    meant = {
        name: name if name in texts.values() else texts.get(seen(name), name) for name in names
    }
    first: dict[str, str] = {}
    for name in sorted(set(meant.values())) if classes is None else ():
        other = first.setdefault(_meaning(name), name)
        if other != name:
            raise UserError(
                f"{place(name)}: '{name}' and '{other}' would be two classes",
                "one spelling for each class",
                f"{name!a} and {other!a}, which differ in case, blanks or digits alone",
                "write both alike; where both are meant, list them in dataset.classes=[…]",
            )
    return meant


def _meaning(name: str) -> str:
    """A name whatever its case and the form of its number; a single letter keeps its case."""
    text = seen(name)
    if _NUMBER.fullmatch(text):
        return str(float(text))
    return text.casefold() if len(text) > 1 else text


def more_rows(place: Place, rows: Sequence[int]) -> str:
    """How many rows have the fault of the first of them, too, with the places of a few."""
    shown = ", ".join(place(row) for row in rows[1:6])
    dots = ", …" if len(rows) > 6 else ""
    return f"; and {len(rows) - 1} more such row(s): {shown}{dots}" if len(rows) > 1 else ""


def _no_class(
    place: Place, rows: Sequence[int], received: str, classes: Sequence[str] | None
) -> UserError:
    known, name = list(classes or ["the names of the classes"]), received.strip("'")
    near = [one for one in known if _meaning(one) == _meaning(name)]
    near = near or (difflib.get_close_matches(name, known, n=1) if "'" in received else [])
    return UserError(
        f"{place(rows[0])}: {received} is no class",
        f"one of {_listed(known)}",
        received + more_rows(place, rows),
        f"did you mean '{near[0]}'?"
        if near
        else "correct it, or dataset.classes, or set dataset.target=value if these are no classes",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
