"""How worker processes come into the world: from a clean process, quickly, and undisturbed."""

import contextlib
import io
import multiprocessing
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)  # until a fork server that was just killed counts as dead


def start_context() -> ForkServerContext | SpawnContext:
    """The start method: never a fork of this process, which has TensorFlow's threads in it."""
    if multiprocessing.get_start_method(allow_none=True) == "spawn":
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


def pack_for_start(dataset: object) -> bytes:
    """The dataset as bytes, for processes to begin with.

    What every one of them must import for it, the fork server, unless it runs already, imports
    once. That is more than the dataset's own module: what it holds may come from anywhere.

    Raises:
        Exception: it cannot be pickled.
    """
    bytes_ = io.BytesIO()
    pickler = _Pickler(bytes_)
    pickler.dump(dataset)
    names = {"reprise.loading.workers.worker", type(dataset).__module__, *pickler.modules}
    start_context().set_forkserver_preload(sorted(names - {"__main__"}))
    return bytes_.getvalue()


class _Pickler(pickle.Pickler):
    """Notes from which modules the objects come that it meets."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def reducer_override(self, met: Any) -> Any:
        module = getattr(met, "__module__", None)
        self.modules |= {module} if isinstance(module, str) else set()
        return NotImplemented  # it is pickled as ever


def begin(process: BaseProcess, pickled: bytes) -> None:
    """Start a process that will receive these bytes."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_interrupts_held())
        if b"__main__" not in pickled:
            stack.enter_context(_main_hidden())
        for pause_s in _PAUSES_S:
            with contextlib.suppress(ConnectionRefusedError):
                process.start()
                return
            time.sleep(pause_s)
        process.start()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let a child begin with Ctrl-C blocked, or it prints a traceback if it is not up yet."""
    resource_tracker.ensure_running()  # which would unblock the signal if it had to be started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """Keep a child from running the program's main module, and all its imports, once more.

    Python does so for classes that are defined there; it finds the module in sys.modules.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
