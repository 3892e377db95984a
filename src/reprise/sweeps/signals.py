"""Signals: those the sweep is asked to stop by, and those it ends others' jobs with."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from reprise.sweeps.attempt import GRACE_S
from reprise.sweeps.ledger import Standing

STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def asked_by_signals(asked: list[int]) -> Iterator[None]:
    """Within it the numbers of Ctrl-C and SIGTERM are added to `asked`, and do nothing else."""

    def hear(number: int, frame: object) -> None:
        if not asked:
            print(
                "\nstopping: the jobs keep their state; Ctrl-C again ends them at once", flush=True
            )
        asked.append(number)

    before = {number: signal.signal(number, hear) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_if_too_late(standing: Standing, timeout_s: float | None) -> None:
    """End a job whose sweep was killed and which takes longer than it may.

    Only for a job whose log is locked: its process group is then still its own. Where the sweep
    lives, it has seen to the job itself long before.
    """
    if timeout_s is None or standing.group is None:
        return
    group, host, began = standing.group
    if host == socket.gethostname() and time.time() > began + timeout_s + 2 * GRACE_S:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
