"""A Python generator as data: samples without random access, split as they pass."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Interval

from reprise.datasets.base import BaseDataset
from reprise.datasets.drawing import write_target
from reprise.datasets.streams.part import Part
from reprise.datasets.streams.patience import with_word
from reprise.datasets.streams.source import Source
from reprise.datasets.streams.splits import require_source, split_stream
from reprise.datasets.targets.moments import Counts, Moments, is_unscaled
from reprise.errors import UserError
from reprise.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Stream(BaseDataset[Part]):
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
        require_source("dataset.source", source)
        self.input_spec, self.target_spec = source.input_spec, source.target_spec
        self.shuffle_buffer, self.pad_value = shuffle_buffer, pad_value
        self._source = source
        self._parts = split_stream(source, split, split_seed)
        for spec in (self.input_spec, self.target_spec):
            _require_padding(spec, self.padding(spec))

    def splits(self) -> dict[str, Part]:
        """The parts 'train', 'valid' and, where there is one, 'test'; disjoint."""
        return dict(self._parts)

    def padding(self, spec: Spec) -> float:
        """What fills up arrays of this spec."""
        return self.pad_value if spec.ignore is None else spec.ignore

    def num_samples(self, split: Part) -> int | None:
        return split.num_samples

    def names(self, split: Part) -> Sequence[str]:
        return ()

    def first(self, split: Part, count: int) -> Part:
        return split.first(count)

    def record(self, split: Part) -> dict[str, Any]:
        return split.record()

    def restore(
        self, recorded: Mapping[str, Any], splits: Mapping[str, Part]
    ) -> Mapping[str, Part]:
        for name, part in splits.items():
            part.num_samples = recorded[name]["num_samples"]  # a reading of another number raises
        return splits

    @property
    def package(self) -> str:
        return type(self._source).__module__.partition(".")[0]

    def problems(self, splits: Mapping[str, Part], *, thorough: bool = False) -> list[str]:
        """What stopped the reading of each split, one line each; nothing unless `thorough`."""
        problems = []
        for part in splits.values() if thorough else ():
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
        blocks = train.blocks() or ((item.x[None], item.y[None]) for item in train)
        doing = "learning mean and deviation of the stream's train split"
        for inputs, targets in with_word(blocks, doing):
            of_x.add(inputs)
            of_y.add(targets)
            number += len(inputs)
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

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        self._source.draw(axes, x, self.input_spec)
        write_target(axes, self.target_spec, y, prediction)


def _require_padding(spec: Spec, value: float) -> None:
    if None in spec.shape and np.asarray(value).astype(spec.dtype) != value:
        raise UserError(
            "dataset.pad_value cannot stand in these arrays",
            f"a value of {spec.dtype}",
            f"{value}",
            "choose another dataset.pad_value",
        )
