"""How worker processes come into the world: from a clean process, quickly, and undisturbed."""

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext

from reprise.datasets.base import Dataset

_Context = ForkServerContext | SpawnContext


def start_context() -> _Context:
    """The start method: never a fork of this process, which has TensorFlow's threads in it."""
    if multiprocessing.get_start_method(allow_none=True) == "spawn":
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


def import_early(dataset: Dataset) -> None:
    """Have the fork server, unless it runs already, import once what every worker would import.

    That is the dataset's module, and the program's main module, which Python runs again in every
    child.
    """
    names = ["__main__", "reprise.loading.worker", type(dataset).__module__]
    main = getattr(sys.modules["__main__"], "__spec__", None)
    if main is not None and not main.name.endswith("__main__"):
        names.append(main.name)
    start_context().set_forkserver_preload(names)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Let children begin with Ctrl-C blocked: each that is not up yet would print a traceback."""
    resource_tracker.ensure_running()  # which would unblock the signal if it had to be started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
