"""What a Python generator must say of itself to be data: the contract of a stream's source."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from reprise.datasets.drawing import draw_input
from reprise.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Source(ABC):
    """Samples that can only be read one after the other. Picklable, holds no open handle.

    A child sets `input_spec` and `target_spec`, in its class or in its constructor, with None for
    axes along which samples differ in length, and implements `samples`.

    A source of floats is read once before training, for the mean and deviation of its train split.
    One that states `offset` and `scale` in its specs is not. One without an end needs
    `dataset.take`.
    """

    input_spec: Spec
    target_spec: Spec
    num_shards: int = 1  # parts that can be read side by side, such as files
    paths: Sequence[Path] = ()  # files and folders, for the record of what a run saw
    notes: Sequence[str] = ()  # what they hold that is not read, and what was assumed: a line each

    @abstractmethod
    def samples(self, shard: int) -> Iterator[tuple[Any, Any]]:
        """Read one shard from its beginning: the same samples in the same order at every call.

        Args:
            shard: 0 to num_shards - 1.

        Yields:
            x and y as the specs say: arrays, or numbers and lists of numbers.

        Raises:
            UserError: a sample cannot be read; the message names it.
        """

    def blocks(self, shard: int) -> Iterator[tuple[np.ndarray, np.ndarray]] | None:
        """The same samples, many at a time: arrays with a leading axis. None where it cannot."""
        return None

    def arrange(self, part: Literal["input", "target"], names: Sequence[str]) -> None:
        """Give the last axis of x or y in this order of the names that its spec has.

        A source whose specs have `names` implements it.
        """
        raise NotImplementedError

    def shard_name(self, shard: int) -> str:
        """What the user calls this shard, for messages: its file."""
        return type(self).__qualname__ + (f", shard {shard}" if self.num_shards > 1 else "")

    def draw(self, axes: "Axes", x: np.ndarray, spec: Spec) -> None:
        """Draw one input.

        Args:
            axes: matplotlib's.
            x: As `samples` gives it, perhaps padded.
            spec: `input_spec`, with what was learned of the train split.
        """
        draw_input(axes, x, spec)
