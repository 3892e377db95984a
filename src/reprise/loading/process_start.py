"""Starts worker processes: from a clean process, quickly, and undisturbed by Ctrl-C."""

import contextlib
import io
import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from types import ModuleType
from typing import Any

from reprise.errors import UserError

_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)  # until a fork server that was just killed counts as dead
_WORKER = "reprise.loading.worker"
_SERVER_DIED = 255  # exit code where the fork server, which knows the real one, has died


class WorkerProcess:
    """A process at the other end of a pipe.

    Args:
        work: Called in the process with the pipe, `pickled` and `more`.
        pickled: What it reads, from `pickle_for_start`.
        more: Further arguments.
    """

    def __init__(self, work: Callable[..., None], pickled: bytes, *more: object) -> None:
        context = start_context()
        self.connection, theirs = context.Pipe()
        args = (theirs, pickled, *more)
        self.process = context.Process(target=work, args=args, daemon=True)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_interrupts_blocked())
            if b"__main__" not in pickled:
                stack.enter_context(_main_module_hidden())
            for pause_s in _PAUSES_S:
                with contextlib.suppress(ConnectionRefusedError):
                    self.process.start()
                    break
                time.sleep(pause_s)
            else:
                self.process.start()
        theirs.close()
        self.name = f"process {self.process.pid}"

    def end(self, timeout_s: float = 0.0) -> int | None:
        """Close the pipe, at which the process ends when it is done, and kill it after a time.

        Returns:
            Its exit code; None where it was killed here.
        """
        self.connection.close()
        self.process.join(timeout_s)
        code = self.process.exitcode
        if code in (None, _SERVER_DIED):
            code = None
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid or 0, signal.SIGKILL)
            self.process.join()
        self.process.close()
        return code


def start_context() -> ForkServerContext | SpawnContext:
    """The start method: never a fork of this process, which has TensorFlow's threads in it."""
    if multiprocessing.get_start_method(allow_none=True) == "spawn":
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


def pickle_for_start(dataset: object, kind: str) -> bytes:
    """The dataset as bytes, for processes to begin with; `kind` names it in errors.

    What every one of them must import, the fork server imports once, unless it runs already. That
    is more than the dataset's own module: what it holds may come from anywhere.

    Raises:
        UserError: it cannot be pickled.
    """
    file = io.BytesIO()
    pickler = _Pickler(file)
    try:
        pickler.dump(dataset)
    except Exception as error:
        raise UserError(
            f"{kind} cannot be sent to worker processes",
            "a dataset that can be pickled: no open handle, no lambda, no class of the main script",
            f"{type(error).__name__}: {error}",
            "open handles at first use, or use threads: loader.use_multiprocessing=false",
        ) from error
    names = {_WORKER, type(dataset).__module__, *pickler.modules}
    start_context().set_forkserver_preload(sorted(names - {"__main__"}))
    return file.getvalue()


class _Pickler(pickle.Pickler):
    """Notes the modules of the objects that it pickles."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def reducer_override(self, met: Any) -> Any:
        module = getattr(met, "__module__", None)
        self.modules |= {module} if isinstance(module, str) else set()
        return NotImplemented  # pickled as usual


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Let a child begin with Ctrl-C blocked, or it prints a traceback if it is not up yet."""
    resource_tracker.ensure_running()  # which would unblock the signal if it had to be started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keep a child from running the program's main module, and all its imports, once more.

    Python does so for classes that are defined there; it finds the module in sys.modules.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
