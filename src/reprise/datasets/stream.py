"""A Python generator as data: samples without random access, split as they pass."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Interval

from reprise.datasets.moments import Counts, Moments, is_unscaled
from reprise.datasets.part import Part, with_word
from reprise.datasets.source import Source
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.caption import labelled


class Stream:
    """Samples of a source, read in order, shuffled a buffer at a time.

    Unlike a Dataset it has no indices: a split is a `Part`, which its samples are found to be in
    as they pass. Each split by fraction therefore costs a reading of the whole source.

    Args:
        source: Samples of the train split and of other splits by fraction.
        split: 'train' a fraction of `source`; 'valid' and 'test' likewise, or a source of their own
            (None for 'test' alone).
        split_seed: Moves samples between splits by fraction. `seed` does not.
        shuffle_buffer: Training samples from which the next is drawn; bounds memory.
        pad_value: Inputs of unequal length are filled up with it at their ends, to the longest of
            a batch; targets too, where their spec has no `ignore`.

    Raises:
        UserError: a split is missing or empty, or sources do not agree.
    """

    stamp: str = ""  # as of a Dataset: samples come from `sources`

    def __init__(
        self,
        source: Source,
        split: dict[
            Literal["train", "valid", "test"],
            Annotated[float, Interval(ge=0, le=1)] | Source | None,
        ],
        split_seed: Annotated[int, Ge(0)] = 0,
        shuffle_buffer: Annotated[int, Ge(1)] = 1000,
        pad_value: float = 0.0,
    ) -> None:
        _require_source("dataset.source", source)
        self.input_spec, self.target_spec = source.input_spec, source.target_spec
        self.shuffle_buffer, self.pad_value = shuffle_buffer, pad_value
        self._source = source
        self._parts = _parts(source, split, split_seed)
        for spec in (self.input_spec, self.target_spec):
            _require_padding(spec, self.padding(spec))

    def splits(self) -> dict[str, Part]:
        """The parts 'train', 'valid' and, where there is one, 'test'; disjoint."""
        return dict(self._parts)

    def padding(self, spec: Spec) -> float:
        """What fills up arrays of this spec."""
        return self.pad_value if spec.ignore is None else spec.ignore

    def check(self, parts: Iterable[Part]) -> list[str]:
        """Read every sample of these splits; what stopped the reading of each, one line each."""
        problems = []
        for part in parts:
            try:
                part.count()
            except UserError as error:
                problems.append(f"{error.args[0]}: {error.args[2]}")
            except Exception as error:
                notes = ", ".join(error.__notes__)
                problems.append(f"{type(error).__name__}: {error} ({notes})")
        return list(dict.fromkeys(problems))

    def learn(self, train: Part) -> Mapping[str, Any]:
        """Learn `offset` and `scale` of floats, and `counts` of classes, from the train split.

        Reads it once if there are floats without a scale, and else not at all.

        Returns:
            What was learned, by name, to be recorded with the run.
        """
        specs = train.source.input_spec, train.source.target_spec
        if not any(map(is_unscaled, specs)):
            return {}
        of_x, of_y = (Moments(spec) if is_unscaled(spec) else Counts(spec) for spec in specs)
        number = 0
        for item in with_word(train, "learning mean and deviation of the stream's train split"):
            of_x.add(item.x)
            of_y.add(item.y)
            number += 1
        train.counted(number)
        self.input_spec, self.target_spec = of_x.onto(specs[0]), of_y.onto(specs[1])
        x, y = self.input_spec, self.target_spec
        return {
            "offset": list(x.offset),
            "scale": list(x.scale),
            "target_offset": list(y.offset),
            "target_scale": list(y.scale),
            "counts": dict(zip(y.classes, y.counts, strict=False)),
            "num_samples": number,
        }

    @property
    def sources(self) -> Sequence[Path]:
        """Files and folders the samples come from, for the record of what a run saw."""
        parts = self._parts.values()
        return tuple(dict.fromkeys(path for part in parts for path in part.source.paths))

    def picture(
        self, x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw one sample beside its target and the model's answer, as `Dataset.picture` does."""
        drawn = self._source.draw(x, self.input_spec)
        return labelled(drawn, replace(self.target_spec, shape=y.shape), y, prediction)


def _parts(source: Source, split: Mapping[Any, Any], seed: int) -> dict[str, Part]:
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
    _require_source(f"dataset.split.{split}", source)
    announced, same = ((one.input_spec, one.target_spec) for one in (source, first))
    if announced != same:
        raise UserError(
            f"dataset.split.{split} announces other samples than dataset.source",
            _specs(*same),
            _specs(*announced),
            "give both the same columns and classes",
        )
    return source


def _require_source(key: str, value: Any) -> None:
    if not isinstance(value, Source):
        raise UserError(
            f"{key} is no source of a stream",
            "an object of a child class of reprise.datasets.source.Source",
            f"{type(value).__qualname__}",
            f"correct {key}._target_; docs/your_generator.md shows such a class",
        )


def _require_padding(spec: Spec, value: float) -> None:
    if None in spec.shape and np.asarray(value).astype(spec.dtype) != value:
        raise UserError(
            "dataset.pad_value cannot stand in these arrays",
            f"a value of {spec.dtype}",
            f"{value}",
            "choose another dataset.pad_value",
        )


def _specs(x: Spec, y: Spec) -> str:
    classes = f", classes {', '.join(y.classes)}" if y.classes else ""
    return f"x {x.shape} {x.dtype}, y {y.shape} {y.dtype}{classes}"


def _said(value: Any) -> str:
    return f"{value}" if value is None or isinstance(value, int | float) else "a source"
