"""The time of each stage of making a batch, measured without any clock in a dataset."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

READ, DECODE, AUGMENT, COLLATE = "read", "decode", "augment", "collate"
STAGES = (READ, DECODE, AUGMENT, COLLATE)
# Modules, and types of objects, whose built-in functions wait for a disk or a database.
_SOURCES = {"_io", "io", "posix", "sqlite3", "MySQLdb", "_socket"}


class Stopwatch:
    """Measures the time of one thread in each stage of making a batch, by a profile function.

    - `read`: built-in functions that read files or query a database.
    - `decode`: the rest of a dataset; also a library's call that reads and decodes at once.
    - `augment`: a dataset's `finish`, and reprise.transforms where `decode` does not call it.
    - `collate`: the loader's own functions.

    Any other function belongs to the stage of its caller.

    Args:
        package: Top package of the dataset, which may be the user's own.

    Attributes:
        seconds: Of each stage so far, without the cost of measuring.
    """

    def __init__(self, package: str) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._packages = {"reprise", package}
        self._stack = [(COLLATE, False)]  # the stage, and whether it is within `decode`
        self._since = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure this thread meanwhile."""
        self._stack, self._since = self._stack[:1], time.perf_counter()
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, called: Any) -> None:
        self.seconds[self._stack[-1][0]] += time.perf_counter() - self._since
        if event == "call":
            self._stack.append(self._stage_of(frame))
        elif event == "c_call":
            stage, is_decode = self._stack[-1]
            self._stack.append((READ if _reads(called) else stage, is_decode))
        elif len(self._stack) > 1:
            self._stack.pop()
        self._since = time.perf_counter()

    def _stage_of(self, frame: FrameType) -> tuple[str, bool]:
        """The stage of a Python function that is about to run, and whether `decode` called it."""
        stage, is_decode = self._stack[-1]
        top, _, rest = frame.f_globals.get("__name__", "").partition(".")
        if top not in self._packages or stage == AUGMENT:
            return stage, is_decode
        room, name = rest.partition(".")[0], frame.f_code.co_name
        if top == "reprise" and room == "loading":
            return COLLATE, False
        if top == "reprise" and room == "transforms":
            return (stage if is_decode else AUGMENT), is_decode
        stage = AUGMENT if name in ("finish", "finish_many") else DECODE
        return stage, is_decode or name in ("decode", "decode_many")


def _reads(called: Callable[..., Any]) -> bool:
    owner = getattr(called, "__self__", None)
    modules = {getattr(called, "__module__", None), type(owner).__module__}
    tops = {module.partition(".")[0] for module in modules if module}
    return bool(tops & _SOURCES) or getattr(called, "__name__", "") == "fromfile"
