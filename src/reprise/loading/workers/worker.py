"""What a worker process does: wait for a job, write its batch to a slot, say so, until the end.

Nothing here imports TensorFlow, Keras or MLflow; a worker has its dataset, NumPy and its slots.
"""

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from reprise.datasets.base import Dataset, Sample
from reprise.loading.assemble import assemble, is_sized
from reprise.loading.order import Job, SampleRngs
from reprise.loading.workers.failure import pack
from reprise.loading.workers.slots import Slots

NO_TASK = -1
_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's mallopt(3)
_KEPT_BYTES = 1 << 30
_LARGEST_MMAP_THRESHOLD = 1 << 25  # glibc refuses more


class Request(NamedTuple):
    """A job as it goes through the pipe: always small, since the indices wait in the slot.

    Args:
        task: Number of the task, never used twice.
        slot: Where the batch's indices are and its arrays go.
        rows: Samples in the batch.
        step: Number of the batch.
        key: Of the samples' randomness.
        rehearse: A sample to read first, for nothing; None for none.
    """

    task: int
    slot: int
    rows: int
    step: int
    key: tuple[int, int, int] | None
    rehearse: int | None


def work(connection: Connection, slots: Slots, number: int, pickled: bytes) -> None:
    """Life of a worker.

    Args:
        connection: Jobs come in here, and word of each finished one goes out.
        slots: Where batches are written.
        number: Which marks are this worker's.
        pickled: The dataset.
    """
    settle()
    with contextlib.suppress(EOFError, OSError):  # the parent is done with us, or is gone
        try:
            dataset = pickle.loads(pickled)
        except BaseException as error:
            connection.send(("failed", NO_TASK, pack(error)))
            return
        hold_to_one_thread()
        connection.send(("ready", NO_TASK, None))
        while True:
            connection.send(_answer(dataset, slots, number, connection.recv()))


def settle() -> None:
    """Make this process a worker: deaf to Ctrl-C, gone with its parent, frugal with cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    keep_buffers()
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, "1"))  # for what is imported from here on


def _answer(
    dataset: Dataset, slots: Slots, number: int, request: Request
) -> tuple[str, int, object]:
    try:
        return "batch", request.task, _make(dataset, slots, number, request)
    except BaseException as error:
        return "error", request.task, pack(error)


def _make(dataset: Dataset, slots: Slots, number: int, request: Request) -> Sample | None:
    """The batch's arrays, or None where they are in the slot."""
    marks = slots.marks(number)

    def mark(at: int) -> None:
        marks[:] = request.task, at

    if request.rehearse is not None:
        assemble(dataset, _job(request, np.array([request.rehearse])))
    job = _job(request, slots.indices(request.slot, request.rows).copy())
    if not is_sized(dataset):
        return assemble(dataset, job, mark=mark)
    x, y = slots.arrays(request.slot, request.rows)
    assemble(dataset, job, (x, y), mark)
    return None


def _job(request: Request, indices: np.ndarray) -> Job:
    indices.flags.writeable = False
    return Job(request.step, indices, SampleRngs(request.key, indices))


def _leave_with_parent() -> None:
    """End this process when its parent has ended, however that happened and whatever we read."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)


def hold_to_one_thread() -> None:
    """One thread for OpenCV, BLAS and OpenMP: the workers together already use every core.

    OpenMP's number is that of the calling thread, the others are those of the process; of
    libraries that are not imported yet none is known.
    """
    threadpool_limits(1)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(1)


def keep_buffers() -> None:
    """Let glibc keep freed memory: to fault it in again costs a third of an image's time."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
