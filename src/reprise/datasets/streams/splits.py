"""Which part of which source is a split of a stream."""

from collections.abc import Mapping
from typing import Any

from reprise.datasets.streams.part import Part
from reprise.datasets.streams.source import Source
from reprise.errors import UserError
from reprise.spec import Spec


def split_stream(source: Source, split: Mapping[Any, Any], seed: int) -> dict[str, Part]:
    """The parts 'train', 'valid' and, where it is asked for, 'test'.

    Args:
        source: Samples of every split that is a fraction.
        split: For each split a fraction, or a source of its own; None for test alone.
        seed: Moves samples between splits by fraction.

    Raises:
        UserError: a split is missing, fractions exceed 1, or a source announces other samples.
    """
    if not isinstance(split.get("train"), int | float) or split.get("valid") is None:
        raise UserError(
            "dataset.split is incomplete",
            "a fraction for train; for valid and test fractions or sources of their own; "
            "test alone may be null",
            ", ".join(f"{name}: {_said(value)}" for name, value in split.items()),
            "set dataset.split.train and dataset.split.valid",
        )
    parts: dict[str, Part] = {}
    low = 0.0
    # Dealt in this order, so that train may shrink without moving the test set.
    for name in ("test", "valid", "train"):
        value = split.get(name)
        if isinstance(value, int | float):
            parts[name] = Part(name, source, low, round(low + value, 9), seed)
            low = parts[name].high
        elif value is not None:
            parts[name] = Part(name, _own_source(name, value, source))
    if low > 1:
        raise UserError(
            "the fractions in dataset.split do not divide the data",
            "at most 1 together",
            f"{low:g}",
            "for instance dataset.split.train=0.7 dataset.split.valid=0.15 dataset.split.test=0.15",
        )
    return {name: parts[name] for name in ("train", "valid", "test") if name in parts}


def _own_source(split: str, source: Source, first: Source) -> Source:
    """The source of one split, which must announce what the train split's does."""
    require_source(f"dataset.split.{split}", source)
    announced, same = ((one.input_spec, one.target_spec) for one in (source, first))
    if announced != same:
        raise UserError(
            f"dataset.split.{split} announces other samples than dataset.source",
            _specs(*same),
            _specs(*announced),
            "give both the same columns and classes",
        )
    return source


def require_source(key: str, value: Any) -> None:
    """Refuse what is no source, such as a generator that has begun."""
    if not isinstance(value, Source):
        raise UserError(
            f"{key} is no source of a stream",
            "an object of a child class of reprise.datasets.streams.source.Source",
            f"{type(value).__qualname__}",
            f"correct {key}._target_; docs/your_generator.md shows such a class",
        )


def _specs(x: Spec, y: Spec) -> str:
    classes = f", classes {', '.join(y.classes)}" if y.classes else ""
    return f"x {x.shape} {x.dtype}, y {y.shape} {y.dtype}{classes}"


def _said(value: Any) -> str:
    return f"{value}" if value is None or isinstance(value, int | float) else "a source"
