"""Samples without random access, such as those of a Python generator."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Interval

from reprise.datasets.base import BaseDataset, Sample
from reprise.datasets.drawing import write_target
from reprise.datasets.exclude import require_known
from reprise.datasets.moments import Counts, Moments, is_unscaled
from reprise.datasets.streams.passes import (
    Beginning,
    compare_made_anew,
    compare_passes,
    require_same,
)
from reprise.datasets.streams.source import Source
from reprise.datasets.streams.split import StreamSplit, announced, sample_name
from reprise.errors import UserError
from reprise.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_SECONDS = 0.7  # for the first look at a source
_SLOW = 20.0  # seconds until the first batch that are worth a note


class Stream(BaseDataset[StreamSplit]):
    """Samples of a source, read in order and shuffled within a buffer.

    It has no indices: whether a sample is in a split is found out when it is read. Each split by
    fraction therefore costs a reading of the whole source.

    Args:
        source: Samples of the train split and of other splits by fraction.
        split: 'train' a fraction of `source`; 'valid' and 'test' likewise, or a source of their own
            (None for 'test' alone).
        split_seed: Moves samples between splits by fraction. `seed` does not.
        shuffle_buffer: Training samples from which the next is drawn; bounds memory.
        take: Samples of each shard, the first ones, that make a pass, which ends a source without
            an end; None for all.
        pad_value: Inputs of unequal length are filled up with it at their ends, to the longest of
            a batch; targets too, where their spec has no `ignore`.

    Raises:
        UserError: a split is missing or empty, or sources do not agree.
    """

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
        take: Annotated[int, Ge(1)] | None = None,
    ) -> None:
        _require_source("dataset.source", source)
        self.input_spec, self.target_spec = source.input_spec, source.target_spec
        self.shuffle_buffer, self.pad_value = shuffle_buffer, pad_value
        self._source, self._take = source, take
        self._splits = _split_stream(source, split, split_seed, take)
        self._beginnings: dict[int, tuple[Source, Beginning]] = {}  # by the id of the source
        self._notes: list[str] = []
        for spec in (self.input_spec, self.target_spec):
            value = self.padding(spec)
            if None in spec.shape and np.asarray(value).astype(spec.dtype) != value:
                raise UserError(
                    "dataset.pad_value cannot stand in these arrays",
                    f"a value of {spec.dtype}",
                    f"{value}",
                    "choose another dataset.pad_value",
                )

    def padding(self, spec: Spec) -> float:
        """The value that fills up arrays of this spec."""
        return self.pad_value if spec.ignore is None else spec.ignore

    def splits(self) -> dict[str, StreamSplit]:
        return dict(self._splits)

    def num_samples(self, split: StreamSplit) -> int | None:
        return split.num_samples

    def names(self, split: StreamSplit) -> Sequence[str]:
        return ()

    def first(self, split: StreamSplit, count: int) -> StreamSplit:
        """The first samples of a split as a split of their own, kept in memory."""
        chunks = announced(split, f"looking for {count} samples of the split '{split.split}'")
        samples = (sample for chunk in chunks for sample in zip(chunk.x, chunk.y, strict=True))
        return StreamSplit(split.split, _InMemory(split.source, list(islice(samples, count))))

    def record(self, split: StreamSplit) -> dict[str, Any]:
        """Number of samples and rule; counts those of 'valid' and 'test', which are read whole."""
        if split.num_samples is None and split.split != "train":
            split.count()
        seed, low, high = split.seed, split.low, split.high
        rule = f"samples whose lot of seed {seed} is from {low:g} to below {high:g}"
        recorded: dict[str, Any] = {"num_samples": split.num_samples, "rule": rule}
        if known := self._beginnings.get(id(split.source)):
            recorded["first"] = known[1].as_json()
        return recorded

    def restore(
        self, recorded: Mapping[str, Any], splits: Mapping[str, StreamSplit]
    ) -> Mapping[str, StreamSplit]:
        for name, split in splits.items():
            split.num_samples = recorded[name]["num_samples"]  # another number is an error
            if "first" in recorded[name]:
                require_same(split.source, self._take, recorded[name]["first"])
        return splits

    def without(
        self, splits: Mapping[str, StreamSplit], names: Collection[str], file: Path
    ) -> dict[str, StreamSplit]:
        """These splits without some samples, named as check-data names them.

        Reads every split once: how many there are of them, and which, is not known before.
        """
        gone, known = frozenset(map(_place, names)), dict[str, int]()
        rest = {}
        for name, split in splits.items():
            total = left = 0
            for chunk in announced(split, f"looking for the samples of {file}"):
                shard = split.source.shard_name(chunk.shard)
                known[shard] = max(known.get(shard, 0), int(chunk.positions[-1]))
                total += len(chunk.positions)
                left += sum((shard, at) in gone for at in chunk.positions.tolist())
            split.counted(total)
            rest[name] = replace(split, gone=gone, num_samples=total - left)
        there = {name for name in names if _place(name)[1] <= known.get(_place(name)[0], -1)}
        require_known(file, names, {*there, *(sample_name(*last) for last in known.items())})
        return rest

    def problems(self, splits: Mapping[str, StreamSplit], *, thorough: bool = False) -> list[str]:
        """What stopped the reading of each split, one line each.

        Of each source the first thousand samples, or those of a second, are read twice, and
        compared; if `thorough` a thousand, and each split is read to its end.
        """
        problems, changing = [], set[int]()
        for split in splits.values():
            if id(split.source) in changing:
                continue
            try:
                changing.add(id(split.source))
                beginning = self._beginning(split.source, thorough)
                changing.discard(id(split.source))
                if not beginning.samples:
                    split.counted(0)
                if thorough:
                    split.count()
            except UserError as error:
                what, _, received, remedy = error.args
                problems.append(f"{what}: received {received}; {remedy}")
            except Exception as error:
                notes = ", ".join(getattr(error, "__notes__", ()))
                problems.append(f"{type(error).__name__}: {error} ({notes})")
        self._notes = [] if problems else list(self._odd(splits))
        return list(dict.fromkeys(problems))

    def changes(self, again: "Stream") -> list[str]:
        """What is not the same in a dataset that was made anew, a line each."""
        found = []
        for name, split in self._splits.items():
            first = self._beginning(split.source, thorough=False)
            try:
                compare_made_anew(again._splits[name].source, self._take, first)
            except UserError as error:
                what, _, received, remedy = error.args
                found.append(f"{what}: received {received}; {remedy}")
        return list(dict.fromkeys(found))

    def _beginning(self, source: Source, thorough: bool) -> Beginning:
        if thorough or id(source) not in self._beginnings:
            seconds = None if thorough else _SECONDS
            found = compare_passes(source, self._take, seconds, elsewhere=thorough)
            self._beginnings[id(source)] = source, found  # kept, so that no other has its id
        return self._beginnings[id(source)][1]

    def _odd(self, splits: Mapping[str, StreamSplit]) -> Iterator[str]:
        """What is odd about the beginnings of the splits' sources, a line each."""
        first = splits["train"].source
        own = self._beginning(first, thorough=False)
        rate = own.seconds / max(1, len(own.samples))
        if rate * self.shuffle_buffer > _SLOW:
            yield (
                f"a sample takes {rate:.2g} s: the first batch comes after dataset.shuffle_buffer="
                f"{self.shuffle_buffer} samples, in about {rate * self.shuffle_buffer:.0f} s"
            )
        for name, split in splits.items():
            samples = self._beginning(split.source, thorough=False).samples
            both = len(set(own.samples).intersection(samples))
            if split.source is not first and both > len(set(samples)) / 2:
                yield (
                    f"{both} of the first {len(samples)} samples of dataset.split.{name} are among "
                    "the first of dataset.source, too: what is trained on is no test"
                )

    def learn(self, train: StreamSplit) -> Mapping[str, Any]:
        """Learn `offset` and `scale` of floats, and `counts` of classes, from the train split.

        Reads it once if there are floats without a scale, and else not at all.
        """
        specs = train.source.input_spec, train.source.target_spec
        if not any(map(is_unscaled, specs)):
            return {}
        learners = [Moments(spec) if is_unscaled(spec) else Counts(spec) for spec in specs]
        number = 0
        doing = "learning mean and deviation of the stream's train split"
        for chunk in announced(train, doing):
            for learner, rows in zip(learners, (chunk.x, chunk.y), strict=True):
                for array in rows if rows.dtype == object else [rows]:
                    learner.add(array)
            number += len(chunk.x)
        train.counted(number)
        x, y = (learner.onto(spec) for learner, spec in zip(learners, specs, strict=True))
        self.input_spec, self.target_spec = x, y
        return {
            "offset": list(x.offset),
            "scale": list(x.scale),
            "target_offset": list(y.offset),
            "target_scale": list(y.scale),
            "counts": dict(zip(y.classes, y.counts, strict=False)),
            "num_samples": number,
        }

    def arrange(self, part: Literal["input", "target"], names: Sequence[str]) -> None:
        for source in {id(split.source): split.source for split in self._splits.values()}.values():
            source.arrange(part, names)
        self.input_spec, self.target_spec = self._source.input_spec, self._source.target_spec

    @property
    def notes(self) -> Sequence[str]:
        splits = self._splits.values()
        notes = (note for split in splits for note in split.source.notes)
        return tuple(dict.fromkeys([*notes, *self._notes]))

    @property
    def sources(self) -> Sequence[Path]:
        splits = self._splits.values()
        return tuple(dict.fromkeys(path for split in splits for path in split.source.paths))

    @property
    def package(self) -> str:
        return type(self._source).__module__.partition(".")[0]

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        self._source.draw(axes, x, self.input_spec)
        write_target(axes, self.target_spec, y, prediction)


class _InMemory(Source):
    """A few samples of another source."""

    def __init__(self, source: Source, kept: Sequence[Sample]) -> None:
        self.input_spec, self.target_spec = source.input_spec, source.target_spec
        self._kept = kept

    def samples(self, shard: int) -> Iterator[Sample]:
        return iter(self._kept)


def _split_stream(
    source: Source, split: Mapping[Any, Any], seed: int, take: int | None
) -> dict[str, StreamSplit]:
    """The splits 'train', 'valid' and, where it is asked for, 'test'."""
    if not isinstance(split.get("train"), int | float) or split.get("valid") is None:
        said = {name: "a source" if isinstance(of, Source) else of for name, of in split.items()}
        raise UserError(
            "dataset.split is incomplete",
            "a fraction for train; for valid and test fractions or sources of their own; "
            "test alone may be null",
            ", ".join(f"{name}: {value}" for name, value in said.items()),
            "set dataset.split.train and dataset.split.valid",
        )
    splits: dict[str, StreamSplit] = {}
    low = 0.0
    # Test first, so that train may shrink without moving the test set.
    for name in ("test", "valid", "train"):
        value = split.get(name)
        if isinstance(value, int | float):
            splits[name] = StreamSplit(name, source, low, round(low + value, 9), seed, take=take)
            low = splits[name].high
        elif value is not None:
            _require_source(f"dataset.split.{name}", value)
            _require_same_specs(name, value, source)
            splits[name] = StreamSplit(name, value, take=take)
    if low > 1:
        raise UserError(
            "the fractions in dataset.split do not divide the data",
            "at most 1 together",
            f"{low:g}",
            "for instance dataset.split.train=0.7 dataset.split.valid=0.15 dataset.split.test=0.15",
        )
    return {name: splits[name] for name in ("train", "valid", "test") if name in splits}


def _require_same_specs(split: str, source: Source, first: Source) -> None:
    if sorted(source.input_spec.names) == sorted(first.input_spec.names) != []:
        source.arrange("input", first.input_spec.names)
    announced, same = ((one.input_spec, one.target_spec) for one in (source, first))
    if announced != same:
        raise UserError(
            f"dataset.split.{split} announces other samples than dataset.source",
            _specs(*same),
            _specs(*announced),
            "give both the same columns and classes",
        )


def _require_source(key: str, value: Any) -> None:
    if not isinstance(value, Source):  # such as a generator that has begun
        raise UserError(
            f"{key} is no source of a stream",
            "an object of a child class of reprise.datasets.streams.source.Source",
            f"{type(value).__qualname__}",
            f"correct {key}._target_; docs/your_generator.md shows such a class",
        )
    for name, kind in (("input_spec", Spec), ("target_spec", Spec), ("num_shards", int)):
        said = getattr(value, name, "missing")
        if not isinstance(said, kind) or (name == "num_shards" and value.num_shards < 1):
            raise UserError(
                f"{key}: {type(value).__qualname__} does not say what it yields",
                "input_spec and target_spec of kind Spec, and num_shards of 1 or more",
                f"{name} = {said}",
                "set it in the class or in __init__; docs/your_generator.md shows such a class",
            )


def _specs(x: Spec, y: Spec) -> str:
    classes = f", classes {', '.join(y.classes)}" if y.classes else ""
    names = f" ({', '.join(x.names)})" if x.names else ""
    return f"x {x.shape} {x.dtype}{names}, y {y.shape} {y.dtype}{classes}"


def _place(name: str) -> tuple[str, int]:
    shard, _, number = name.rpartition(", sample ")
    return (shard, int(number)) if number.isdigit() else (name, 0)
