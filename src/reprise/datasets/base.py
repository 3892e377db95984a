"""What every dataset promises: random access to samples in NumPy, and no order and no batches."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reprise.spec import Spec

Sample = tuple[np.ndarray, np.ndarray]


class Dataset(ABC):
    """Random access to samples. Picklable, cheap to construct, holds no open handle.

    A child sets `input_spec` and `target_spec` in its constructor and implements the abstract
    methods; handles and connections open on first use, one per process and thread.
    """

    input_spec: Spec
    target_spec: Spec
    in_memory: bool = False  # True: a batch is one slice, and workers would only cost

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples, all splits together."""

    @abstractmethod
    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        """Read one sample, as `input_spec` and `target_spec` say.

        Args:
            index: 0 to len(self) - 1.
            rng: Source of every random choice; None means no random transform.

        Raises:
            UserError: the sample cannot be read; the message names it.
        """

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        """Read a batch: x and y with a leading batch axis. `rngs[i]` is made when asked for."""
        samples = [self.read(int(index), rngs[at]) for at, index in enumerate(indices)]
        return np.stack([x for x, _ in samples]), np.stack([y for _, y in samples])

    @abstractmethod
    def name(self, index: int) -> str:
        """What the user calls this sample: a file, a row, a recording and its time."""

    @abstractmethod
    def splits(self) -> Mapping[str, np.ndarray]:
        """Indices, dtype int64, of 'train', 'valid' and, where there is one, 'test'; disjoint."""

    def group(self, index: int) -> Hashable:
        """What must not stand on both sides of a split (a speaker, say); default: the sample."""
        return self.name(index)

    def label(self, index: int) -> int | None:
        """Class of the sample as a whole, for balancing; None where it has none."""
        return None

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        """Problems known without training, one line each, each naming its sample.

        Args:
            indices: The samples to look at.
            thorough: Read every sample in full; otherwise only what is cheap (headers, sizes).
        """
        return []

    def learn(self, train: np.ndarray) -> Mapping[str, Any]:
        """Learn what the specs need from the train split alone: `offset`, `scale`, `counts`.

        Called once, before a model is made. No batch depends on it.

        Returns:
            What was learned, by name, to be recorded with the run.
        """
        return {}

    @property
    def sources(self) -> Sequence[Path]:
        """Files and folders the samples come from, for the record of what a run saw."""
        return ()

    @property
    def stamp(self) -> str:
        """What tells samples that come from no file (a server's) from others; '' for files."""
        return ""

    @abstractmethod
    def picture(
        self, x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw one sample beside its target and, if given, the model's output for it.

        Returns:
            RGB image, shape (height, width, 3), uint8, 0 to 255; every call of one dataset gives
            the same shape for the same arguments present.
        """
