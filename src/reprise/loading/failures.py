"""What the user reads when workers die, hang or cannot start."""

from reprise.datasets.base import Dataset
from reprise.errors import UserError
from reprise.loading.order import BatchPlan
from reprise.loading.worker import WHOLE_BATCH, sample_names

_ALONE = "read it by itself to see what happens: loader.workers=0"
_CRASH = f"{_ALONE} (a crash in a decoder, or more memory than there is)"
_MORE_TIME = f"{_ALONE}; or allow more time: loader.timeout_s=…"


def batch_kills(dataset: Dataset, plan: BatchPlan, deaths: list[int]) -> UserError:
    """A batch, read alone, killed one worker after the other.

    Args:
        dataset: Where its samples are.
        plan: Which they are.
        deaths: For each death the position of the sample that was read.
    """
    return UserError(
        f"step {plan.step}: reading it ended the worker process {len(deaths)} times",
        "samples that can be read",
        _which(dataset, plan, deaths[-1]),
        _CRASH,
    )


def batch_stuck(dataset: Dataset, plan: BatchPlan, at: int | None, timeout_s: float) -> UserError:
    """A batch did not come in time; `at` is the position of the sample that is read."""
    return UserError(
        f"step {plan.step}: no batch after {timeout_s:g} s",
        f"a batch within loader.timeout_s={timeout_s:g}",
        f"still reading {_which(dataset, plan, at)}",
        _MORE_TIME,
    )


def no_worker_starts(reason: str) -> UserError:
    """Worker processes do not get as far as their first request."""
    return UserError(
        "no worker process comes up",
        "a process that imports the dataset's module and waits for jobs",
        reason,
        "the lines above may say why; loader.use_multiprocessing=false does without processes",
    )


def not_picklable(kind: str, error: Exception) -> UserError:
    """The dataset cannot be sent to another process."""
    return UserError(
        f"{kind} cannot be sent to worker processes",
        "a dataset that can be pickled: no open handle, no lambda, no class of the main script",
        f"{type(error).__name__}: {error}",
        "open handles at first use, or use threads: loader.use_multiprocessing=false",
    )


def stream_kills(name: str, place: str, deaths: int) -> UserError:
    """Workers that read a stream end at one place of it, one after the other."""
    return UserError(
        f"the {name}, which reads the stream, has ended by itself, as {deaths - 1} before it",
        "a source that can be read",
        f"{deaths} worker processes that ended {place}",
        _CRASH,
    )


def stream_stuck(name: str, place: str, timeout_s: float) -> UserError:
    """A worker that reads a stream does not answer in time."""
    return UserError(
        f"the stream gave nothing for {timeout_s:g} s",
        f"a batch within loader.timeout_s={timeout_s:g}",
        f"the {name} is still reading {place}",
        _MORE_TIME,
    )


def _which(dataset: Dataset, plan: BatchPlan, at: int | None) -> str:
    if at is None or at == WHOLE_BATCH:
        return "one of\n" + sample_names(dataset, plan.indices)
    return sample_names(dataset, [int(plan.indices[at])])
