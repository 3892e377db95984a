"""The values that a sweep tries, in Hydra's own grammar of several values for a key."""

import math
import random
import re
from dataclasses import dataclass
from itertools import product

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep, Sweep
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
        UserError: an override stands for no values, or for others than it seems to, or a key with
            several values is given twice.
    """
    parser = OverridesParser.create()
    fixed: list[str] = []
    axes: list[Axis] = []
    for word in words:
        key = word.partition("=")[0].lstrip("+")
        if key in {axis.name for axis in axes}:  # behind one value, the several would count
            what = "given again behind several values"
            raise _odd(key, what, word, "all values of a key in one word")
        try:
            override = parser.parse_override(word)
        except (HydraException, ValueError):
            override = None
        if override is None or not override.is_sweep_override():
            fixed.append(word)
        else:
            axes.append(_axis(word, override))
    return fixed, axes


def _axis(word: str, override: Override) -> Axis:
    key, value = override.get_key_element(), override.value()
    if isinstance(value, Glob):
        values = tuple(value.filter(options_of(override.key_or_group)))
        return _refuse_empty(Axis(key, values), word)
    assert isinstance(value, Sweep)
    _refuse_truncated(key, word)
    _refuse_tags(key, value, word)
    if isinstance(value, IntervalSweep):
        return _interval(key, value, word)
    if isinstance(value, RangeSweep) and not value.step:
        raise _odd(key, "a range of step 0 has no end", word, "a step above or below 0")
    is_shuffled, value.shuffle = value.shuffle, False  # Hydra would shuffle anew every time
    try:
        values = tuple(override.sweep_string_iterator())
    except ValueError:
        raise _odd(key, "no list of values", word, "one range, or values 1,2,3") from None
    if is_shuffled:
        values = tuple(random.Random(word).sample(values, len(values)))
    if not isinstance(value, RangeSweep):
        return _refuse_empty(Axis(key, values), word)
    whole = isinstance(value.start, int) and isinstance(value.step, int)
    numbers = tuple(sorted(map(int if whole else float, values)))
    axis = _refuse_empty(Axis(key, values, numbers, step=abs(value.step)), word)
    if len(values) == 1:
        what = f"a range of one value, {values[0]}"
        raise _odd(key, what, word, "a step that is smaller than the range")
    return axis


def _interval(key: str, value: IntervalSweep, word: str) -> Axis:
    low, high, is_log = value.start, value.end, "log" in value.tags
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _odd(key, "an interval without an end", word, "two finite numbers")
    if low >= high:
        what = "an interval of one value" if low == high else "the ends are the wrong way round"
        raise _odd(key, what, word, "interval(LOW,HIGH) with LOW below HIGH")
    if is_log and low <= 0:
        raise _odd(key, f"{low:g} has no logarithm", word, "with tag(log,…) both ends above 0")
    return Axis(key, (repr(low), repr(high)), (low, high), is_log=is_log)


def _refuse_truncated(key: str, word: str) -> None:
    """Refuse `int(interval(0.5,3.7))`, of which Hydra makes 0 and 3."""
    numbers = re.findall(r"(?<![\w.])[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])", word)
    cut = [number for number in numbers if not float(number).is_integer()]
    if cut and re.search(r"[=(,]\s*int\(", word):
        raise _odd(key, f"int() cuts {cut[0]} off", word, "whole numbers inside int()")


def _refuse_tags(key: str, value: Sweep, word: str) -> None:
    meant = {"log"} if isinstance(value, IntervalSweep) else set()
    if odd := sorted(value.tags - meant):
        what = f"the tag {odd[0]} has no effect here"
        raise _odd(key, what, word, "tag(log,interval(LOW,HIGH)), or no tag")


def _refuse_empty(axis: Axis, word: str) -> Axis:
    if not axis.values:
        wanted = "a range that is not empty, or a pattern that some option has"
        raise _odd(axis.key, "stands for no value at all", word, wanted)
    return axis


def _odd(key: str, what: str, word: str, expected: str) -> UserError:
    return UserError(f"{key}: {what}", expected, word, f"change {key.lstrip('+')}")


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
