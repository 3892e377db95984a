"""Writes training states beside the training, one at a time."""

import threading
from collections.abc import Callable
from pathlib import Path

from reprise.training.state import State, write_state


class StateWriter:
    """Writes states in a thread of its own; the arrays given to it must not change any more.

    Args:
        folder: Where the states go.
        failed: Told why one could not be written; the states before it stay.
    """

    def __init__(self, folder: Path, failed: Callable[[OSError], None]) -> None:
        self._folder, self._failed = folder, failed
        self._thread: threading.Thread | None = None

    def begin(self, state: State) -> None:
        """Begin to write a state, once the one before it is written."""
        self.wait()
        self._thread = threading.Thread(target=self._write, args=(state,), name="state")
        self._thread.start()

    def wait(self) -> None:
        """Return once every state that was begun is on the disk, or has failed."""
        if self._thread is not None:
            self._thread.join()

    def _write(self, state: State) -> None:
        try:
            write_state(self._folder, state)
        except OSError as error:
            self._failed(error)
