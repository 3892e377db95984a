"""The values a sweep goes through: Hydra's own grammar of several values for a key."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from reprise.errors import UserError


@dataclass(frozen=True)
class Axis:
    """One key with several values.

    Args:
        key: As typed, a + before it included.
        values: The values as Hydra reads them; of an interval its two ends.
        numbers: The same as numbers where their order means something: a range, an interval.
        step: Distance of a range's values; None: choices, or anything between the two ends.
        is_log: Whether an interval is searched by its logarithm.
    """

    key: str
    values: tuple[str, ...]
    numbers: tuple[int | float, ...] = ()
    step: int | float | None = None
    is_log: bool = False

    @property
    def is_interval(self) -> bool:
        """Whether it has values between those listed."""
        return bool(self.numbers) and self.step is None


def read_space(
    words: list[str], options_of: Callable[[str], list[str]]
) -> tuple[list[str], list[Axis]]:
    """Part the words with one value from those with several.

    Args:
        words: Overrides. One that cannot be read counts as one with one value.
        options_of: Gives the options of a group, for `glob(*)`.

    Raises:
        UserError: a word stands for no value at all.
    """
    parser = OverridesParser.create()
    fixed, swept = [], []
    for word in words:
        try:
            override = parser.parse_override(word)
        except HydraException:  # the check of the configuration says what is wrong with it
            fixed.append(word)
            continue
        if not override.is_sweep_override():
            fixed.append(word)
            continue
        axis = _axis(override, options_of)
        if not axis.values:
            raise UserError(
                f"{axis.key}: stands for no value at all",
                expected="at least one value",
                received=word,
                remedy="give a range that is not empty, or a pattern that some option has",
            )
        swept.append(axis)
    return fixed, swept


def _axis(override: Override, options_of: Callable[[str], list[str]]) -> Axis:
    key, value = override.get_key_element(), override.value()
    if isinstance(value, Glob):
        return Axis(key, tuple(value.filter(options_of(override.key_or_group))))
    if isinstance(value, IntervalSweep):
        ends: tuple[Any, ...] = (value.start, value.end)
        return Axis(key, _texts(ends), ends, is_log="log" in value.tags)
    values = tuple(override.sweep_string_iterator())
    if isinstance(value, RangeSweep) and len(values) > 1:
        numbers: list[Any] = sorted(
            int(v) if isinstance(value.start, int) else float(v) for v in values
        )
        return Axis(key, values, tuple(numbers), step=abs(value.step))
    return Axis(key, values)


def _texts(numbers: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(repr(number) for number in numbers)


def every_combination(axes: list[Axis]) -> list[list[str]]:
    """The overrides of each job of a grid.

    Raises:
        UserError: a key has an interval, of whose values there is no end.
    """
    for axis in axes:
        if axis.is_interval:
            raise UserError(
                f"{axis.key}: an interval has no end of values to go through",
                expected="with sweep=grid a list 1,2,3 or range(1,4)",
                received=f"interval({axis.values[0]},{axis.values[1]})",
                remedy="list the values, or search it: sweep=tpe or sweep=random",
            )
    return [list(one) for one in product(*map(_words, axes))]


def each_value_once(axes: list[Axis]) -> list[list[str]]:
    """Overrides with the first value of every key, then with each other value in turn."""
    listed = [_words(axis) for axis in axes]
    first = [words[0] for words in listed]
    others = [
        [*first[:at], word, *first[at + 1 :]]
        for at, words in enumerate(listed)
        for word in words[1:]
    ]
    return [first, *others]


def _words(axis: Axis) -> list[str]:
    return [f"{axis.key}={value}" for value in axis.values]
