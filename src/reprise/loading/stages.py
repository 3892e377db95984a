"""Where the time of making a batch goes, seen from outside: no dataset has to keep a clock."""

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
_STEPS = {
    "read": DECODE, "read_many": DECODE, "decode": DECODE, "decode_many": DECODE, "samples": DECODE,
    "finish": AUGMENT, "finish_many": AUGMENT,
}  # fmt: skip


class Stopwatch:
    """Shares out the time of one thread among the stages of making a batch.

    A function belongs to the stage of its caller, but for these: built-in functions that read
    files or ask a database are `read`; what a dataset does in `finish` is `augment`, as is what it
    calls in reprise.transforms, unless it does so in `decode`; the rest of a dataset is `decode`;
    and the loader's own is `collate`. A library's one call that reads and decodes is `decode`.

    Args:
        package: Top package of the dataset, which may be the user's own.

    Attributes:
        seconds: Time of each stage so far, without what it costs to look.
    """

    def __init__(self, package: str) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._packages = {"reprise", package}
        self._stack = [(COLLATE, False)]  # the stage, and whether it is within `decode`
        self._since = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look at what this thread does meanwhile."""
        self._stack, self._since = self._stack[:1], time.perf_counter()
        sys.setprofile(self._look)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, called: Any) -> None:
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
        return _STEPS.get(name, DECODE), is_decode or name in ("decode", "decode_many")


def _reads(called: Callable[..., Any]) -> bool:
    owner = getattr(called, "__self__", None)
    modules = {getattr(called, "__module__", None), type(owner).__module__}
    tops = {module.partition(".")[0] for module in modules if module}
    return bool(tops & _SOURCES) or getattr(called, "__name__", "") == "fromfile"
