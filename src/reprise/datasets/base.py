"""What every dataset promises: samples in NumPy, and no order and no batches.

A `Dataset` has random access to its samples; a `reprise.datasets.stream.Stream` does not. What
both answer is a `BaseDataset`.
"""

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from reprise.datasets.drawing import draw_input, write_target
from reprise.datasets.splits import seen
from reprise.datasets.tracked import NotPulled
from reprise.errors import UserError, in_one_line
from reprise.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CHANGES_OF, _CHANGES_S = 8, 0.7  # samples that are read twice, and for how many seconds
_THREADS = 8  # more than cores: most of the time goes by waiting for a disk

Sample = tuple[np.ndarray, np.ndarray]
Split = TypeVar("Split")


class BaseDataset(ABC, Generic[Split]):
    """Samples with or without random access, and what a run asks of their splits.

    A split is what `splits` returns: indices of a `Dataset`, a rule for the samples of a `Stream`.
    """

    input_spec: Spec
    target_spec: Spec
    in_memory: bool = False  # True: a batch is one slice, and workers would only cost

    @abstractmethod
    def splits(self) -> Mapping[str, Split]:
        """The splits 'train', 'valid' and, where there is one, 'test'; disjoint."""

    @abstractmethod
    def num_samples(self, split: Split) -> int | None:
        """Number of samples in a split; None where it is not known yet."""

    @abstractmethod
    def names(self, split: Split) -> Sequence[str]:
        """Names of a split's samples; empty where samples have none."""

    @abstractmethod
    def first(self, split: Split, count: int) -> Split:
        """The first `count` samples of a split as a split."""

    @abstractmethod
    def record(self, split: Split) -> Any:
        """What a run records of a split, as JSON can hold it; `restore` reads it."""

    @abstractmethod
    def restore(
        self, recorded: Mapping[str, Any], splits: Mapping[str, Split]
    ) -> Mapping[str, Split]:
        """The splits of a recorded run.

        Args:
            recorded: For each split what `record` returned.
            splits: The splits that its config gives today.

        Raises:
            UserError: samples of the run are missing.
        """

    @abstractmethod
    def without(
        self, splits: Mapping[str, Split], names: Collection[str], file: Path
    ) -> Mapping[str, Split]:
        """These splits without some samples, each of which stays where it is.

        Args:
            splits: As `splits` returns them.
            names: Names of the samples to leave out.
            file: Where the names are listed, for messages.

        Raises:
            UserError: no sample has one of these names.
        """

    @abstractmethod
    def problems(self, splits: Mapping[str, Split], *, thorough: bool = False) -> list[str]:
        """Problems of the samples in these splits, one line each; `thorough` reads them all."""

    def learn(self, train: Split) -> Mapping[str, Any]:
        """Learn what the specs need from the train split alone: `offset`, `scale`, `counts`.

        Called once, before a model is made. No batch depends on it.

        Returns:
            What was learned, by name, to be recorded with the run.
        """
        return {}

    def arrange(self, part: Literal["input", "target"], names: Sequence[str]) -> None:
        """Give the last axis of x or y in this order of the names that its spec has.

        Called before a sample is read. A dataset whose specs have `names` implements it.
        """
        raise NotImplementedError

    # What a request to `make serve` holds for an input: an encoded `image` or `sound`, a `row` of
    # numbers, or an `array`.
    request: ClassVar[Literal["image", "sound", "row", "array"]] = "array"

    @classmethod
    def unlabelled(cls, given: Sequence[str], spec: Spec, **settings: Any) -> "Dataset":
        """Inputs without targets, read as this class reads labelled ones; predict asks for them.

        Args:
            given: What the user has named: files, folders, patterns, tables.
            spec: Of the run's input, as it was recorded.
            settings: All settings of the dataset, as its constructor takes them.

        Returns:
            A dataset whose targets are not used, such as a child of `Unlabelled`.

        Raises:
            UserError: something named cannot be read; by default, that this class has no such way.
        """
        raise no_way(cls.__qualname__, given)

    @property
    def sources(self) -> Sequence[Path]:
        """Files and folders the samples come from, for the record of what a run saw."""
        return ()

    @property
    def stamp(self) -> str:
        """What tells samples that come from no file (a server's) from others; '' for files."""
        return ""

    @property
    def notes(self) -> Sequence[str]:
        """What the files hold that is not read, and what was assumed of them: a line each.

        Asked for after `problems`; printed whenever the data is opened, and recorded with a run.
        """
        return ()

    @property
    def package(self) -> str:
        """Top package of the code that reads a sample; the user's own for a dataset of theirs."""
        return type(self).__module__.partition(".")[0]

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        """Draw one sample beside its target and, if given, the model's output for it.

        By default images are shown as they are and other arrays as a line, under the target's
        class, labels or values.

        Args:
            axes: matplotlib's; what is drawn with a `label` is named in the legend of all samples.
            x: Input of one sample.
            y: Target of the sample.
            prediction: Output of the model, without the batch axis.
        """
        draw_input(axes, x, self.input_spec)
        write_target(axes, self.target_spec, y, prediction)


class Dataset(BaseDataset[np.ndarray]):
    """Random access to samples. Picklable, cheap to construct, holds no open handle.

    A child sets `input_spec` and `target_spec` in its constructor and implements the abstract
    methods; handles and connections open on first use, one per process and thread.
    """

    thorough_finds_more: bool = False  # `check` sees in files what no sample shows

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples, all splits together."""

    @abstractmethod
    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        """Read one sample, as `input_spec` and `target_spec` say.

        Args:
            index: 0 to len(self) - 1.
            rng: Random generator for every random choice; None means no random transform.

        Raises:
            UserError: the sample cannot be read; the message names it.
        """

    def read_many(self, indices: np.ndarray, rngs: Sequence[np.random.Generator | None]) -> Sample:
        """Read a batch: x and y with a leading batch axis. `rngs[i]` is made on access."""
        samples = [self.read(int(index), rngs[at]) for at, index in enumerate(indices)]
        return np.stack([x for x, _ in samples]), np.stack([y for _, y in samples])

    @abstractmethod
    def name(self, index: int) -> str:
        """What the user calls a sample: a file, a row, a recording and its time."""

    @abstractmethod
    def splits(self) -> Mapping[str, np.ndarray]:
        """Indices, dtype int64, of 'train', 'valid' and, where there is one, 'test'; disjoint."""

    def group(self, index: int) -> Hashable:
        """Group of a sample, its speaker say, which must be in one split; by default its name."""
        return self.name(index)

    def label(self, index: int) -> int | None:
        """Class of a sample as a whole, for balancing; None if it has none."""
        return None

    def facts(self, index: int) -> Mapping[str, float]:
        """What a check of the data may know of a sample beside its arrays.

        Returns:
            `height` and `width` of its file, in pixels; `level` and `peak` of its sound, in
            decibels of full scale, and as a part of it. Nothing by default.
        """
        return {}

    def span(self, index: int) -> tuple[Hashable, float, float] | None:
        """The stretch of a longer whole that a sample is, or None.

        Returns:
            The whole, a recording say, and where the sample begins and ends in it, in seconds.
        """
        return None

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        """Problems of samples that can be found without training, one line each with the name.

        Args:
            indices: The samples to look at.
            thorough: Read every sample in full; otherwise only what is cheap (headers, sizes).
        """
        return []

    def num_samples(self, split: np.ndarray) -> int:
        return len(split)

    def names(self, split: np.ndarray) -> list[str]:
        return [self.name(index) for index in split.tolist()]

    def first(self, split: np.ndarray, count: int) -> np.ndarray:
        return split[:count]

    def record(self, split: np.ndarray) -> list[str]:
        return self.names(split)

    def restore(
        self, recorded: Mapping[str, list[str]], splits: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        names = [self.name(index) for index in range(len(self))]
        # A copy by way of another system may have its names in another Unicode form.
        places = {seen(name): at for at, name in enumerate(names)}
        places |= {name: at for at, name in enumerate(names)}
        recorded = {
            split: [name if name in places else seen(name) for name in own]
            for split, own in recorded.items()
        }
        missing = [name for split in recorded.values() for name in split if name not in places]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UserError(
                f"{len(missing)} sample(s) of the run are not in the data any more",
                expected="every sample that the run was split over",
                received=f"no {missing[0]}{more}",
                remedy="bring the data back to the version that the run's tag data.digest names",
            )
        return {
            split: np.array([places[name] for name in names], np.int64)
            for split, names in recorded.items()
        }

    def without(
        self, splits: Mapping[str, np.ndarray], names: Collection[str], file: Path
    ) -> dict[str, np.ndarray]:
        from reprise.datasets.exclude import require_known

        places = {self.name(index): index for index in range(len(self))}
        require_known(file, names, places)
        gone = [places[name] for name in names]
        return {split: own[~np.isin(own, gone)] for split, own in splits.items()}

    def problems(self, splits: Mapping[str, np.ndarray], *, thorough: bool = False) -> list[str]:
        indices = np.concatenate(list(splits.values()))
        own = [] if self.package == "reprise" else self.changes(indices)
        return [*own, *self.check(indices, thorough=thorough)]

    def changes(self, indices: np.ndarray) -> list[str]:
        """A line on the first of a few samples that is another one when it is read again."""
        until = time.monotonic() + _CHANGES_S
        few = np.linspace(0, len(indices) - 1, min(len(indices), _CHANGES_OF)).astype(int)
        for index, seed in itertools.product(indices[few].tolist(), (None, 0)):
            with suppress(UserError):  # that it cannot be read is said elsewhere
                first, second = (
                    [np.array(part) for part in self.read(index, seeded(seed))] for _ in range(2)
                )
                if any(map(_differ, first, second)):
                    rng = "no rng" if seed is None else "an rng of the same seed"
                    return [
                        f"{self.name(index)}: read twice with {rng}, it is another sample; "
                        "draw from rng alone, and change nothing that is kept"
                    ]
            if time.monotonic() > until:
                break
        return []


def seeded(seed: int | None) -> np.random.Generator | None:
    """A new generator with this seed; None for None, with which `read` transforms nothing."""
    return None if seed is None else np.random.default_rng(seed)


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    is_same = one.shape == other.shape and one.dtype == other.dtype
    return not is_same or one.tobytes() != other.tobytes()


class Wrapped(Dataset):
    """Stands in for another dataset: has its samples by their indices, names and splits."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.in_memory = dataset, dataset.in_memory
        self.input_spec, self.target_spec = dataset.input_spec, dataset.target_spec

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, index: int) -> str:
        return self.dataset.name(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        return self.dataset.splits()

    @property
    def sources(self) -> Sequence[Path]:
        return self.dataset.sources


def find_problems(look: Callable[[int], object], count: int) -> list[str]:
    """Call `look(0)` to `look(count - 1)`, several at a time.

    Returns:
        One line for every UserError raised, in the order of the numbers.
    """

    def line(at: int) -> str | None:
        try:
            look(at)
        except NotPulled:
            raise
        except UserError as error:
            return in_one_line(error)
        return None

    with ThreadPoolExecutor(_THREADS) as threads:
        return [found for found in threads.map(line, range(count)) if found]


def no_way(target: str, given: Sequence[str]) -> UserError:
    """The error for a kind of data that cannot be read without targets."""
    return UserError(
        f"{target} does not say how it reads inputs without targets",
        f"a class method {target}.unlabelled; docs/use_a_model.md shows one",
        f"input={','.join(given)}",
        "write it, or predict on the run's own data: input=test",
    )
