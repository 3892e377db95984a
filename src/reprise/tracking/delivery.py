"""Background delivery of a run's journal to MLflow, which never holds the run up."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from reprise.project import typed
from reprise.tracking.folders import home, run_folders
from reprise.tracking.journal import DELIVERED_FILES, delivered, entries, undelivered
from reprise.tracking.trouble import Trouble, explain

START_S = 10.0  # until MLflow is imported, if no metrics come before: not before the first step
PAUSE_S = 1.0  # between deliveries: many entries go in one call, and leave the processor alone
RETRY_S = (1.0, 2.0, 5.0, 15.0, 30.0)  # between attempts at a store that does not answer


class Delivery:
    """Two threads that deliver a run: one its numbers, params, tags and status, one its files.

    A file that takes long, or that is refused, holds no number up. The second also delivers, once,
    what other runs in the same folder have left.

    Args:
        folder: The run's folder, `runs/<experiment>/<id>`.
        uri: Absolute address of the tracking store.
        shown: The same with its passwords masked.
        say: Called with a line for the user when the store stops or begins to answer.
    """

    def __init__(self, folder: Path, uri: str, shown: str, say: Callable[[str], None]) -> None:
        self._folder, self._uri, self._shown, self._say = folder, uri, shown, say
        self._refused: set[str] = set()  # files, which are not tried again by this process
        self._are_others_done = False
        self._is_cut_off = False
        self._said: set[str] = set()  # lines
        self._reasons: set[str] = set()  # of what was refused
        self._numbers = _Thread("tracking", self._deliver_numbers, START_S)
        self._files = _Thread("tracking files", self._deliver_files, None)

    def notify(self, *, begin: bool = False) -> None:
        """Say that the journal has something new, and that the first delivery may begin."""
        self._numbers.notify(begin=begin)

    def close(self, timeout_s: float) -> None:
        """Deliver what is left, for as long as the store takes any of it within `timeout_s`."""
        for thread in (self._numbers, self._files):
            thread.close(timeout_s, self._notes)

    def _notes(self) -> object:
        return delivered(self._folder), delivered(self._folder, DELIVERED_FILES)

    def _deliver_numbers(self) -> bool:
        from reprise.tracking.mlflow_store import deliver

        try:
            found = deliver(self._folder, self._uri, self._shown, self._say_once)
        except Exception as error:  # also of the run's own folder
            self._is_cut_off = True
            self._say_trouble(explain(error, self._shown))
            return False
        if self._is_cut_off:
            self._say_once(f"the tracking store takes the run again: {self._shown}")
        self._is_cut_off = False
        self._say_refused(found.missing)
        self._files.notify(begin=True)
        return True

    def _deliver_files(self) -> bool:
        from reprise.tracking.artifacts import deliver_files
        from reprise.tracking.mlflow_store import deliver

        where = self._uri, self._shown
        try:
            found = deliver_files(self._folder, *where, leave=self._refused)
        except Exception as error:
            self._say_trouble(explain(error, self._shown))
            return False
        self._say_refused(found.missing)
        self._refused |= {name for name, refusal in found.missing.items() if refusal.lasts}
        if not self._are_others_done:
            for folder in run_folders(home(self._folder)):
                start = next(entries(folder, "start"), None) if undelivered(folder) else None
                if folder != self._folder and start and start["uri"] == self._shown:
                    with suppress(Exception):  # of that run: `sync` says it
                        deliver(folder, *where, self._say_once)
                        deliver_files(folder, *where)
            self._are_others_done = True
        return set(found.missing) <= self._refused

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)

    def _say_trouble(self, trouble: Trouble, what: str = "") -> None:
        """Say what is wrong and what mends it."""
        self._say_once(
            f"{what}{trouble.reason}; the run goes on, and its folder has everything; "
            f"to have it in MLflow, too: {trouble.remedy}"
        )

    def _say_refused(self, missing: Mapping[str, Trouble]) -> None:
        """Say each reason once, of the first thing that is missing for it."""
        names = [name for name in missing if missing[name].reason not in self._reasons]
        self._reasons |= {trouble.reason for trouble in missing.values()}
        if names:
            more = f" and {len(names) - 1} more ({typed('sync')} lists them)" if names[1:] else ""
            self._say_trouble(missing[names[0]], f"{names[0]}{more}: ")


class _Thread:
    """A thread that calls `deliver` when there is news, and again where that returns False.

    Args:
        name: Of the thread.
        deliver: Returns whether all went well.
        start_s: Seconds until the first call, if `notify` does not say that it may begin.
    """

    def __init__(self, name: str, deliver: Callable[[], bool], start_s: float | None) -> None:
        self._deliver, self._start_s = deliver, start_s
        self._begin, self._news, self._closing = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._work, daemon=True, name=name)
        self._thread.start()

    def notify(self, *, begin: bool = False) -> None:
        self._news.set()
        if begin:
            self._begin.set()

    def close(self, timeout_s: float, progress: Callable[[], object]) -> None:
        """Call `deliver` a last time, and wait while `progress` changes within `timeout_s`."""
        self._closing.set()
        self.notify(begin=True)
        while self._thread.is_alive():
            before = progress()
            self._thread.join(timeout_s)
            if progress() == before:
                return

    def _work(self) -> None:
        self._begin.wait(self._start_s)
        failures = 0
        while True:
            self._news.clear()
            is_last = self._closing.is_set()
            failures = 0 if self._deliver() else failures + 1
            if is_last:
                if failures:  # it may have been a connection, which is closed now
                    self._deliver()
                return
            if failures:
                self._closing.wait(RETRY_S[min(failures, len(RETRY_S)) - 1])
            elif not self._closing.wait(PAUSE_S):
                self._news.wait()
