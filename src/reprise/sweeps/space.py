"""The values that a sweep tries, in Hydra's own grammar of several values for a key."""

from dataclasses import dataclass
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from reprise.config.files import options_of
from reprise.errors import UserError


@dataclass(frozen=True)
class Axis:
    """One key with several values.

    Args:
        key: As typed, with a + before it if there is one.
        values: The values as Hydra reads them; of an interval its two ends.
        numbers: The same as numbers, ascending, of a range or an interval; empty for choices.
        step: Distance between the values of a range; None for choices and intervals.
        is_log: Whether an interval is searched by its logarithm.
    """

    key: str
    values: tuple[str, ...]
    numbers: tuple[int | float, ...] = ()
    step: int | float | None = None
    is_log: bool = False

    @property
    def name(self) -> str:
        """The key without a + before it."""
        return self.key.lstrip("+")

    @property
    def is_interval(self) -> bool:
        """Whether there are values between those listed."""
        return bool(self.numbers) and self.step is None

    @property
    def words(self) -> list[str]:
        """An override for each value."""
        return [f"{self.key}={value}" for value in self.values]


def read_space(words: list[str]) -> tuple[list[str], list[Axis]]:
    """Separate the overrides with several values from the others.

    An override that cannot be read is one of the others: the check of the configuration says what
    is wrong with it.

    Returns:
        The others, and the axes.

    Raises:
        UserError: an override has no value at all.
    """
    parser = OverridesParser.create()
    fixed, axes = [], []
    for word in words:
        try:
            override = parser.parse_override(word)
        except HydraException:
            override = None
        if override is None or not override.is_sweep_override():
            fixed.append(word)
            continue
        axis = _axis(override)
        if not axis.values:
            raise UserError(
                f"{axis.key}: stands for no value at all",
                expected="at least one value",
                received=word,
                remedy="give a range that is not empty, or a pattern that some option has",
            )
        axes.append(axis)
    return fixed, axes


def _axis(override: Override) -> Axis:
    key, value = override.get_key_element(), override.value()
    if isinstance(value, Glob):
        return Axis(key, tuple(value.filter(options_of(override.key_or_group))))
    if isinstance(value, IntervalSweep):
        ends: tuple[Any, Any] = (value.start, value.end)
        return Axis(key, (repr(ends[0]), repr(ends[1])), ends, is_log="log" in value.tags)
    values = tuple(override.sweep_string_iterator())
    if isinstance(value, RangeSweep) and len(values) > 1:
        number = int if isinstance(value.start, int) else float
        return Axis(key, values, tuple(sorted(map(number, values))), step=abs(value.step))
    return Axis(key, values)


def every_combination(axes: list[Axis]) -> list[list[str]]:
    """Return the overrides of each job of a grid.

    Raises:
        UserError: a key has an interval, whose values cannot be listed.
    """
    for axis in axes:
        if axis.is_interval:
            raise UserError(
                f"{axis.key}: an interval has no end of values to go through",
                expected="with sweep=grid a list 1,2,3 or range(1,4)",
                received=f"interval({axis.values[0]},{axis.values[1]})",
                remedy="list the values, or search it: sweep=tpe or sweep=random",
            )
    return [list(words) for words in product(*(axis.words for axis in axes))]


def each_value_once(axes: list[Axis]) -> list[list[str]]:
    """Return overrides with the first value of every key, then with each other value in turn."""
    first = [axis.words[0] for axis in axes]
    others = [
        [*first[:at], word, *first[at + 1 :]]
        for at, axis in enumerate(axes)
        for word in axis.words[1:]
    ]
    return [first, *others]
