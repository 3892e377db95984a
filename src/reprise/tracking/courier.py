"""Brings a run's journal to MLflow in the background, and never holds the run up."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from reprise.tracking.deliver import deliver
from reprise.tracking.delivered import delivered, outstanding
from reprise.tracking.journal import entries

PAUSE_S = 1.0  # between deliveries: many entries go in one call, and leave the processor alone
RETRY_S = (1.0, 2.0, 5.0, 15.0, 30.0)  # between attempts at a store that does not answer
# MLflow's own are 7 times and 120 s: it would hold on for minutes to what is tried anew anyway
CALLS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}


class Courier:
    """A thread that delivers a run, and once what other runs beside it have left.

    Args:
        folder: The run's folder, `runs/<experiment>/<id>`.
        uri: Absolute address of the tracking store.
        shown: The same with its passwords masked.
        say: Tells the user, in a line, what became of the delivery.
    """

    def __init__(self, folder: Path, uri: str, shown: str, say: Callable[[str], None]) -> None:
        self._folder, self._uri, self._shown, self._say = folder, uri, shown, say
        self._news, self._closing = threading.Event(), threading.Event()
        self._is_cut_off = False
        self._has_looked_round = False
        for name, value in CALLS.items():
            os.environ.setdefault(name, value)
        self._thread = threading.Thread(target=self._work, daemon=True, name="tracking")
        self._thread.start()

    def notify(self) -> None:
        """The journal has something new."""
        self._news.set()

    def close(self, patience_s: float) -> None:
        """Deliver what is left, for as long as the store takes any of it within `patience_s`."""
        self._closing.set()
        self._news.set()
        while self._thread.is_alive():
            before = delivered(self._folder)
            self._thread.join(patience_s)
            if delivered(self._folder) == before:
                return

    def _work(self) -> None:
        failures = 0
        while True:
            self._news.clear()
            is_last = self._closing.is_set()
            try:
                self._deliver_all(is_last)
                failures = 0
            except Exception as error:  # of whatever library stands before the store
                self._tell_cut_off(error)
                failures += 1
            if is_last:
                return
            if failures:
                self._closing.wait(RETRY_S[min(failures, len(RETRY_S)) - 1])
            elif not self._closing.wait(PAUSE_S):
                self._news.wait()

    def _deliver_all(self, is_last: bool) -> None:
        deliver(self._folder, self._uri, self._shown, self._say)
        if self._is_cut_off:
            self._say(f"the tracking store answers again: {self._shown}")
        self._is_cut_off = False
        if not (self._has_looked_round or is_last):
            for folder in outstanding(self._folder.parents[1]):
                start = next(entries(folder, "start"), None)
                if start and start["uri"] == self._shown:
                    deliver(folder, self._uri, self._shown, self._say)
            self._has_looked_round = True

    def _tell_cut_off(self, error: Exception) -> None:
        if not self._is_cut_off:
            reason = str(error).partition("\n")[0][:200]
            self._say(
                f"the tracking store {self._shown} does not answer ({reason}); the run goes on, "
                "and what it records is delivered later, by itself or by: make sync"
            )
        self._is_cut_off = True
