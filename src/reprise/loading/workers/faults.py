"""What the user reads when worker processes die or hang."""

from reprise.datasets.base import Dataset
from reprise.errors import UserError
from reprise.loading.assemble import WHOLE_BATCH, names
from reprise.loading.order import Job

_ALONE = "read it by itself to see what happens: loader.workers=0"


def deadly(dataset: Dataset, job: Job, deaths: list[int]) -> UserError:
    """A batch, read alone, killed one worker after the other."""
    return UserError(
        f"step {job.step}: reading it ended the worker process {len(deaths)} times",
        "samples that can be read",
        _which(dataset, job, deaths[-1]),
        f"{_ALONE} (a crash in a decoder, or more memory than there is)",
    )


def stuck(dataset: Dataset, job: Job, at: int | None, timeout_s: float) -> UserError:
    """A batch did not come."""
    return UserError(
        f"step {job.step}: no batch after {timeout_s:g} s",
        f"a batch within loader.timeout_s={timeout_s:g}",
        f"still reading {_which(dataset, job, at)}",
        f"{_ALONE}; or allow more time: loader.timeout_s=…",
    )


def stillborn(reason: str) -> UserError:
    """Worker processes do not get as far as their first job."""
    return UserError(
        "no worker process comes up",
        "a process that imports the dataset's module and waits for jobs",
        reason,
        "the lines above may say why; loader.use_multiprocessing=false does without processes",
    )


def not_picklable(dataset: object, error: Exception) -> UserError:
    """The dataset cannot be sent to another process."""
    return UserError(
        f"{type(dataset).__qualname__} cannot be sent to worker processes",
        "a dataset that can be pickled: no open handle, no lambda, no class of the main script",
        f"{type(error).__name__}: {error}",
        "open handles at first use, or use threads: loader.use_multiprocessing=false",
    )


def reader_died(name: str, place: str, deaths: int) -> UserError:
    """Workers that read a stream end at one place of it, one after the other."""
    return UserError(
        f"the {name}, which reads the stream, has ended by itself, as {deaths - 1} before it",
        "a source that can be read",
        f"{deaths} worker processes that ended {place}",
        f"{_ALONE} (a crash in a decoder, or more memory than there is)",
    )


def reader_stuck(name: str, place: str, timeout_s: float) -> UserError:
    """A worker that reads a stream says nothing."""
    return UserError(
        f"the stream gave nothing for {timeout_s:g} s",
        f"a batch within loader.timeout_s={timeout_s:g}",
        f"the {name} is still reading {place}",
        f"{_ALONE}; or allow more time: loader.timeout_s=…",
    )


def _which(dataset: Dataset, job: Job, at: int | None) -> str:
    if at is None or at == WHOLE_BATCH:
        return "one of\n" + names(dataset, job.indices.tolist())
    return names(dataset, [int(job.indices[at])])
