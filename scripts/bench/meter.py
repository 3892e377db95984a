"""The child's side of a measurement: counts batches, and stops the clock at their borders."""

import sys
import time
from typing import Any, TextIO

_PAGE = 4096


class Meter:
    """Says when the first batch was there; then, each time it is asked, how fast others come.

    A batch is looked at where it is handed over; between two measurements nobody takes any.

    Args:
        out: Where answers go, a line each.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = time.perf_counter()
        self._answered = False
        self._skip = 0
        self._samples = 0
        self._until = self._start = 0.0

    def begin(self) -> None:
        """The engine starts now."""
        self._began = time.perf_counter()

    def batch(self, samples: int, array: Any = None) -> None:
        """One batch was handed over.

        Args:
            samples: How many it has.
            array: Its input, a NumPy array, of which every page is looked at; None where somebody
                else has done so.
        """
        if array is not None:
            array.reshape(-1)[:: max(1, _PAGE // array.itemsize)].copy()
        now = time.perf_counter()
        if not self._answered:
            self._answered = True
            self._say(now - self._began)
            self._await()
        elif self._skip:
            self._skip -= 1
            self._start, self._samples = time.perf_counter(), 0
        else:
            self._samples += samples
            if now >= self._start + self._until:
                self._say(self._samples, now - self._start)
                self._await()

    def _say(self, *values: float) -> None:
        print(*values, file=self._out, flush=True)

    def _await(self) -> None:
        """Wait for the next question: how many batches to let pass, and how long to measure."""
        question = sys.stdin.readline().split()
        if not question:
            sys.exit(0)
        self._skip, self._until = max(1, int(question[0])), float(question[1])
