"""A few samples of a source, kept in memory."""

from collections.abc import Iterator, Sequence

from reprise.datasets.base import Sample
from reprise.datasets.streams.source import Source


class Kept(Source):
    """A few samples in memory.

    Args:
        source: What they were read from.
        kept: The samples.
    """

    def __init__(self, source: Source, kept: Sequence[Sample]) -> None:
        self.input_spec, self.target_spec = source.input_spec, source.target_spec
        self._kept = kept

    def samples(self, shard: int) -> Iterator[Sample]:
        """Read them."""
        return iter(self._kept)
