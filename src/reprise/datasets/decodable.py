"""Datasets whose samples are made in two steps, so that the first need not be done twice."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from reprise.datasets.base import Dataset, Sample
from reprise.spec import Spec

Arrays = tuple[np.ndarray, ...]


class Decodable(Dataset):
    """A dataset whose `read` is `finish` of `decode`: `loader.cache` keeps what `decode` gives.

    A child sets `decoded` and `recipe` in its constructor.
    """

    decoded: tuple[Spec, ...]  # the arrays that `decode` gives; None where samples differ
    recipe: str  # every setting that `decode` depends on: with another one its arrays are others

    @abstractmethod
    def decode(self, index: int) -> Arrays:
        """The costly step, always the same: files, the database, a transform.

        Raises:
            UserError: the sample cannot be read; the message names it.
        """

    @abstractmethod
    def finish(self, arrays: Arrays, index: int, rng: np.random.Generator | None) -> Sample:
        """The other step: everything random, and what is too large to be kept.

        Args:
            arrays: What `decode` gives of this sample; perhaps read-only.
            index: As in `read`.
            rng: As in `read`.
        """

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        return self.finish(self.decode(index), index, rng)


class DecodableRows(Decodable):
    """One that decodes and finishes batches, all its arrays being of fixed shapes."""

    @abstractmethod
    def decode_many(self, indices: np.ndarray) -> Arrays:
        """`decode` of these samples, each array with a leading batch axis."""

    @abstractmethod
    def finish_many(
        self, arrays: Arrays, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]
    ) -> Sample:
        """`finish` of these samples: x and y with a leading batch axis."""

    def decode(self, index: int) -> Arrays:
        return tuple(array[0] for array in self.decode_many(np.array([index])))

    def finish(self, arrays: Arrays, index: int, rng: np.random.Generator | None) -> Sample:
        x, y = self.finish_many(tuple(array[None] for array in arrays), np.array([index]), [rng])
        return x[0], y[0]

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        return self.finish_many(self.decode_many(indices), indices, rngs)
