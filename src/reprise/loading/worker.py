"""Reads the samples of a batch, by itself or as a worker process.

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
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from reprise.datasets.base import Dataset, Sample
from reprise.errors import UserError
from reprise.loading.order import BatchPlan, SampleRngs
from reprise.loading.slots import Slots

WHOLE_BATCH = -1  # position of a sample, where all are read at once
NO_TASK = -1
_NAMES_SHOWN = 32
# What to do where a read does not come back.
_ALONE = "read it by itself to see what happens: loader.workers=0"
CRASH = f"{_ALONE} (a crash in a decoder, or more memory than there is)"
MORE_TIME = f"{_ALONE}; or allow more time: loader.timeout_s=…"
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

Packed = tuple[bytes | None, str]


class Request(NamedTuple):
    """A batch to make, as it goes through the pipe: small, since the indices wait in the slot.

    Args:
        task: Number of the task, never used twice.
        slot: Where the batch's indices are and its arrays go.
        rows: Samples in the batch.
        step: Number of the batch.
        key: Of the samples' randomness.
        warm_up: A sample to read first and drop; None for none.
    """

    task: int
    slot: int
    rows: int
    step: int
    key: tuple[int, int, int] | None
    warm_up: int | None


def work(connection: Connection, pickled: bytes, slots: Slots, number: int) -> None:
    """Serve as a worker process: make the batches that are asked for until the pipe is closed.

    Args:
        connection: Requests come in, and word of each finished batch goes out.
        pickled: The dataset.
        slots: Where batches are written.
        number: Number of this worker.
    """
    set_up_process()
    with contextlib.suppress(EOFError, OSError):  # the parent has closed the pipe, or has ended
        try:
            dataset = pickle.loads(pickled)
        except BaseException as error:
            connection.send(("failed", NO_TASK, pack_error(error)))
            return
        limit_to_one_thread()
        connection.send(("ready", NO_TASK, None))
        while True:
            request = connection.recv()
            answer: tuple[str, int, Sample | Packed | None]
            try:
                answer = "batch", request.task, _make(dataset, slots, number, request)
            except BaseException as error:
                answer = "error", request.task, pack_error(error)
            connection.send(answer)


def _make(dataset: Dataset, slots: Slots, number: int, request: Request) -> Sample | None:
    """The batch's arrays, or None where they are in the slot."""
    progress = slots.progress(number)

    def report(at: int) -> None:
        progress[:] = request.task, at

    if request.warm_up is not None:
        assemble(dataset, _plan(request, np.array([request.warm_up])))
    plan = _plan(request, slots.indices(request.slot, request.rows).copy())
    if not has_fixed_shapes(dataset):
        return assemble(dataset, plan, report=report)
    x, y = slots.arrays(request.slot, request.rows)
    assemble(dataset, plan, (x, y), report)
    return None


def _plan(request: Request, indices: np.ndarray) -> BatchPlan:
    indices.flags.writeable = False
    return BatchPlan(request.step, indices, SampleRngs(request.key, indices))


def assemble(
    dataset: Dataset,
    plan: BatchPlan,
    out: Sample | None = None,
    report: Callable[[int], None] = lambda at: None,
) -> Sample:
    """Read one batch.

    Args:
        dataset: Where the samples are.
        plan: Which samples, and their randomness.
        out: Arrays of the batch's shapes and dtypes to write to; None makes new ones.
        report: Called with the position in the batch of the sample that is read next, or
            WHOLE_BATCH.

    Returns:
        x and y with a leading batch axis, of the shapes and dtypes that the dataset announces.

    Raises:
        UserError: a sample is not what the dataset announces; the message names it.
        Exception: whatever `read` raises, with a note that names the sample.
    """
    has_own_read_many = type(dataset).read_many is not Dataset.read_many
    if has_own_read_many or not has_fixed_shapes(dataset):
        report(WHOLE_BATCH)
        try:
            x, y = dataset.read_many(plan.indices, plan.rngs)
            _check(dataset, int(plan.indices[0]), x, y, rows=len(plan.indices))
        except Exception as error:
            _note_samples(error, dataset, plan.indices)
            raise
        if out is None:
            return x, y
        out[0][...], out[1][...] = x, y
        return out
    if out is None:
        rows = len(plan.indices)
        x, y = (
            np.empty((rows, *spec.shape), spec.dtype)
            for spec in (dataset.input_spec, dataset.target_spec)
        )
        out = x, y
    for at, index in enumerate(plan.indices.tolist()):
        report(at)
        try:
            x, y = dataset.read(index, plan.rngs[at])
            _check(dataset, index, x, y)
        except Exception as error:
            _note_samples(error, dataset, [index])
            raise
        out[0][at], out[1][at] = x, y
    return out


def has_fixed_shapes(dataset: Dataset) -> bool:
    """Whether every sample has the same, announced shape (no axis is None)."""
    return None not in (*dataset.input_spec.shape, *dataset.target_spec.shape)


def sample_names(dataset: Dataset, indices: Sequence[int] | np.ndarray) -> str:
    """The names of some samples, one a line, as errors show them."""
    lines = [_name(dataset, int(index)) for index in indices[:_NAMES_SHOWN]]
    if len(indices) > _NAMES_SHOWN:
        lines.append(f"and {len(indices) - _NAMES_SHOWN} more")
    return "\n".join(lines)


def which_samples(dataset: Dataset, plan: BatchPlan, at: int | None) -> str:
    """The name of the sample at a position of a batch; of all where it is not known."""
    if at is None or at == WHOLE_BATCH:
        return "one of\n" + sample_names(dataset, plan.indices)
    return sample_names(dataset, [int(plan.indices[at])])


def batch_stuck(dataset: Dataset, plan: BatchPlan, at: int | None, timeout_s: float) -> UserError:
    """The error of a batch that did not come in time; `at` is the position that is read."""
    return UserError(
        f"step {plan.step}: no batch after {timeout_s:g} s",
        f"a batch within loader.timeout_s={timeout_s:g}",
        f"still reading {which_samples(dataset, plan, at)}",
        MORE_TIME,
    )


def pack_error(error: BaseException) -> Packed:
    """The exception as bytes, if it survives pickling, and its traceback as text."""
    text = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # many can be written but not read: those with arguments of their own
    except Exception:
        return None, text
    return data, text


def unpack_error(packed: Packed) -> Exception:
    """The exception that was packed, or a RuntimeError with its traceback."""
    data, text = packed
    try:
        error = pickle.loads(data) if data else None
    except Exception:
        error = None
    if not isinstance(error, Exception):  # SystemExit in a worker must not end the whole run
        return RuntimeError(f"in a worker process:\n{text}")
    error.add_note(f"in a worker process:\n{text}")
    return error


def set_up_process() -> None:
    """Make this process a worker: it ignores Ctrl-C, ends with its parent, and uses one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, "1"))  # for what is imported from here on


def limit_to_one_thread() -> None:
    """Limit OpenCV, BLAS and OpenMP to one thread: the workers together already use every core.

    OpenMP's number is that of the calling thread, the others are those of the process; of
    libraries that are not imported yet none is known.
    """
    threadpool_limits(1)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(1)


def keep_freed_memory() -> None:
    """Have glibc keep freed memory: to fault it in again costs a third of an image's time."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def _end_with_parent() -> None:
    """End this process when its parent has ended, even in the middle of a read."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)


def _check(
    dataset: Dataset, index: int, x: np.ndarray, y: np.ndarray, rows: int | None = None
) -> None:
    for part, array, spec in (("input", x, dataset.input_spec), ("target", y, dataset.target_spec)):
        shape = spec.shape if rows is None else (rows, *spec.shape)
        fits = len(array.shape) == len(shape) and all(
            want is None or want == got for want, got in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != spec.dtype:
            raise UserError(
                f"{_name(dataset, index)}: the {part} is not what the dataset announces",
                f"shape {shape}, {spec.dtype}",
                f"shape {array.shape}, {array.dtype}",
                f"make read and {part}_spec of {type(dataset).__qualname__} agree",
            )


def _note_samples(error: Exception, dataset: Dataset, indices: Sequence[int] | np.ndarray) -> None:
    if not isinstance(error, UserError):  # which names its sample itself
        which = "sample" if len(indices) == 1 else "one of the samples"
        error.add_note(f"while reading {which} {sample_names(dataset, indices)}")


def _name(dataset: Dataset, index: int) -> str:
    try:
        return str(dataset.name(index))
    except Exception:  # an error about a sample must not be hidden by one about its name
        return f"sample {index}"
