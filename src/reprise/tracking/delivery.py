"""Background delivery of a run's journal to MLflow, which never holds the run up."""

import threading
from collections.abc import Callable
from pathlib import Path

from reprise.tracking.folders import home, run_folders
from reprise.tracking.journal import delivered, entries, undelivered

START_S = 10.0  # until MLflow is imported, if no metrics come before: not before the first step
PAUSE_S = 1.0  # between deliveries: many entries go in one call, and leave the processor alone
RETRY_S = (1.0, 2.0, 5.0, 15.0, 30.0)  # between attempts at a store that does not answer


class Delivery:
    """A thread that delivers a run, and once what other runs in the same folder have left.

    Args:
        folder: The run's folder, `runs/<experiment>/<id>`.
        uri: Absolute address of the tracking store.
        shown: The same with its passwords masked.
        say: Called with a line for the user when the store stops or begins to answer.
    """

    def __init__(self, folder: Path, uri: str, shown: str, say: Callable[[str], None]) -> None:
        self._folder, self._uri, self._shown, self._say = folder, uri, shown, say
        self._begin, self._news, self._closing = (threading.Event() for _ in range(3))
        self._is_cut_off = False
        self._has_delivered_others = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="tracking")
        self._thread.start()

    def notify(self, *, begin: bool = False) -> None:
        """Say that the journal has something new, and that the first delivery may begin."""
        self._news.set()
        if begin:
            self._begin.set()

    def close(self, timeout_s: float) -> None:
        """Deliver what is left, for as long as the store takes any of it within `timeout_s`."""
        self._closing.set()
        self.notify(begin=True)
        while self._thread.is_alive():
            before = delivered(self._folder)
            self._thread.join(timeout_s)
            if delivered(self._folder) == before:
                return

    def _work(self) -> None:
        self._begin.wait(START_S)
        failures = 0
        while True:
            self._news.clear()
            is_last = self._closing.is_set()
            try:
                self._deliver_all()
                failures = 0
            except Exception as error:  # of whatever library stands before the store
                self._say_cut_off(error)
                failures += 1
            if is_last:
                return
            if failures:
                self._closing.wait(RETRY_S[min(failures, len(RETRY_S)) - 1])
            elif not self._closing.wait(PAUSE_S):
                self._news.wait()

    def _deliver_all(self) -> None:
        from reprise.tracking.mlflow_store import deliver

        deliver(self._folder, self._uri, self._shown, self._say)
        if self._is_cut_off:
            self._say(f"the tracking store answers again: {self._shown}")
        self._is_cut_off = False
        if not self._has_delivered_others:
            for folder in run_folders(home(self._folder)):
                start = next(entries(folder, "start"), None) if undelivered(folder) else None
                if start and start["uri"] == self._shown:
                    deliver(folder, self._uri, self._shown, self._say)
            self._has_delivered_others = True

    def _say_cut_off(self, error: Exception) -> None:
        if not self._is_cut_off:
            reason = str(error).partition("\n")[0][:200]
            self._say(
                f"the tracking store {self._shown} does not answer ({reason}); the run goes on, "
                "and what it records is delivered later, by itself or by: make sync"
            )
        self._is_cut_off = True
