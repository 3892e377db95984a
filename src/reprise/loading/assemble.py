"""Reads the samples of one batch; an error leaves here with the name of its sample."""

from collections.abc import Callable, Sequence

import numpy as np

from reprise.datasets.base import Dataset, Sample
from reprise.errors import UserError
from reprise.loading.order import Job
from reprise.spec import Spec

NAMES_SHOWN = 32
WHOLE_BATCH = -1


def assemble(
    dataset: Dataset,
    job: Job,
    out: Sample | None = None,
    mark: Callable[[int], None] = lambda at: None,
) -> Sample:
    """Read one batch.

    Args:
        dataset: Where the samples are.
        job: Which samples, and their randomness.
        out: Arrays of the batch's shapes and dtypes to write to; None makes new ones.
        mark: Told the position in the batch of the sample that is read next, or WHOLE_BATCH.

    Returns:
        x and y with a leading batch axis, of the shapes and dtypes that the dataset announces.

    Raises:
        UserError: a sample is not what the dataset announces; the message names it.
        Exception: whatever `read` raises, with a note that names the sample.
    """
    sized = is_sized(dataset)
    if not sized or type(dataset).read_many is not Dataset.read_many:
        mark(WHOLE_BATCH)
        return _whole(dataset, job, out if sized else None)
    if out is None:
        out = _empty(dataset.input_spec, job), _empty(dataset.target_spec, job)
    for at, index in enumerate(job.indices.tolist()):
        mark(at)
        try:
            x, y = dataset.read(index, job.rngs[at])
            _check(dataset, index, x, y)
        except Exception as error:
            raise _noted(error, dataset, [index])  # noqa: B904 - the same error, with a note
        out[0][at], out[1][at] = x, y
    return out


def is_sized(dataset: Dataset) -> bool:
    """Whether every sample has the same, announced shape (no axis is None)."""
    return None not in (*dataset.input_spec.shape, *dataset.target_spec.shape)


def names(dataset: Dataset, indices: Sequence[int]) -> str:
    """The names of some samples, one a line, as errors show them."""
    lines = [_name(dataset, int(index)) for index in indices[:NAMES_SHOWN]]
    if len(indices) > NAMES_SHOWN:
        lines.append(f"and {len(indices) - NAMES_SHOWN} more")
    return "\n".join(lines)


def _whole(dataset: Dataset, job: Job, out: Sample | None) -> Sample:
    try:
        x, y = dataset.read_many(job.indices, job.rngs)
        _check(dataset, int(job.indices[0]), x, y, rows=len(job.indices))
    except Exception as error:
        raise _noted(error, dataset, job.indices.tolist())  # noqa: B904 - the same error
    if out is None:
        return x, y
    out[0][...], out[1][...] = x, y
    return out


def _empty(spec: Spec, job: Job) -> np.ndarray:
    return np.empty((len(job.indices), *spec.shape), spec.dtype)


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


def _noted(error: Exception, dataset: Dataset, indices: list[int]) -> Exception:
    if not isinstance(error, UserError):  # which names its sample itself
        which = "sample" if len(indices) == 1 else "one of the samples"
        error.add_note(f"while reading {which} {names(dataset, indices)}")
    return error


def _name(dataset: Dataset, index: int) -> str:
    try:
        return str(dataset.name(index))
    except Exception:  # an error about a sample must not be hidden by one about its name
        return f"sample {index}"
