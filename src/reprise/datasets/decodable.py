"""Datasets that make samples in two steps, of which the first one can be cached."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from reprise.datasets.base import Dataset, Sample
from reprise.spec import Spec

Decoded = tuple[np.ndarray, ...]  # the arrays of one sample, or of a batch


class Decodable(Dataset):
    """A dataset whose `read` is `finish` of `decode`; `loader.cache` keeps what `decode` returns.

    A child sets `decoded` and `recipe` in its constructor.
    """

    decoded: tuple[Spec, ...]  # of the arrays of `decode`; None in a shape where samples differ
    recipe: str  # every setting that the arrays of `decode` depend on

    @abstractmethod
    def decode(self, index: int) -> Decoded:
        """The expensive and deterministic step: reading and decoding.

        Raises:
            UserError: the sample cannot be read; the message names it.
        """

    @abstractmethod
    def finish(self, arrays: Decoded, index: int, rng: np.random.Generator | None) -> Sample:
        """The second step: random changes, and whatever makes arrays larger.

        `arrays` are those of `decode`, perhaps read-only; `index` and `rng` are as in `read`.
        """

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        return self.finish(self.decode(index), index, rng)


class DecodableRows(Decodable):
    """A `Decodable` that decodes and finishes whole batches; its arrays have fixed shapes."""

    @abstractmethod
    def decode_many(self, indices: np.ndarray) -> Decoded:
        """`decode` of these samples, each array with a leading batch axis."""

    @abstractmethod
    def finish_many(
        self, arrays: Decoded, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]
    ) -> Sample:
        """`finish` of these samples: x and y with a leading batch axis."""

    def decode(self, index: int) -> Decoded:
        return tuple(array[0] for array in self.decode_many(np.array([index])))

    def finish(self, arrays: Decoded, index: int, rng: np.random.Generator | None) -> Sample:
        x, y = self.finish_many(tuple(array[None] for array in arrays), np.array([index]), [rng])
        return x[0], y[0]

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        return self.finish_many(self.decode_many(indices), indices, rngs)
