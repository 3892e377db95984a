"""SIGTERM and Ctrl-C during a run: seen at once, obeyed at the end of the training step."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from reprise.errors import Stopped

TIMEOUT_S = 30.0  # longest wait for the step under way; a scheduler kills soon after
EXITS = {signal.SIGTERM: 75, signal.SIGINT: 130}  # 75: EX_TEMPFAIL of sysexits.h


class Interrupts:
    """Turn both signals into a request that training honours at the end of its step.

    Outside of training they raise `Stopped` at once. A second Ctrl-C ends the process immediately,
    and so does a step that takes longer than `timeout_s`; the last saved state is on disk.

    A thread sees the signals through a wake-up descriptor: a Python handler runs only after the
    current call of the main thread, which may be a blocked read.

    Args:
        timeout_s: Longest wait for the step under way, in seconds.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self.asked: int | None = None
        self._timeout_s = timeout_s
        self._is_training = False
        self._timer: threading.Timer | None = None

    @contextmanager
    def training(self) -> Iterator[Callable[[], int | None]]:
        """Return, while it lasts, a function that tells which signal has asked training to end."""
        self._is_training = True
        try:
            yield lambda: self.asked
        finally:
            self._is_training = False

    def __enter__(self) -> Self:
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._writes, False)
        self._descriptor = signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._handle) for number in EXITS}
        threading.Thread(target=self._watch, daemon=True, name="interrupts").start()
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._descriptor)
        os.close(self._writes)  # which ends the thread
        if self._timer:
            self._timer.cancel()

    def _handle(self, number: int, frame: object) -> None:
        if not self._is_training:
            raise Stopped(number)

    def _watch(self) -> None:
        while seen := os.read(self._reads, 1):
            if seen[0] not in EXITS:
                continue
            if self.asked is None:
                self.asked = seen[0]
                self._say()
                self._timer = threading.Timer(self._timeout_s, self._leave)
                self._timer.daemon = True
                self._timer.start()
            elif seen[0] == signal.SIGINT:
                self._leave()
        os.close(self._reads)

    def _say(self) -> None:
        again = "; Ctrl-C again ends it at once" if self.asked == signal.SIGINT else ""
        print(f"\nstopping after this step{again}", file=sys.stderr, flush=True)

    def _leave(self) -> None:
        print("stopped at once; the last state that was kept is whole", file=sys.stderr, flush=True)
        os._exit(EXITS[signal.Signals(self.asked)])  # type: ignore[arg-type]
