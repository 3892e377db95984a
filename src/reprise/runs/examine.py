"""Read every sample of a dataset, and find out what is wrong with it."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from tqdm import tqdm

from reprise.datasets.base import Dataset, Sample, seeded
from reprise.datasets.judge import Finding, Sheet
from reprise.datasets.measures import FACTS, Measured, measure, record_type
from reprise.datasets.stream import Stream
from reprise.datasets.streams.split import sample_name
from reprise.errors import UserError, in_one_line
from reprise.loading.loader import Loader
from reprise.project import enter
from reprise.runs.experiment import Data, open_data
from reprise.runs.external import External, num_batches, read

_BEGINNING = 1000  # samples of a split that another process reads again
_ROWS = 16  # samples that a worker measures at a time
_ENDLESS = 10_000  # samples of batches without an end that are looked at


def examine(data: Data, rare: int) -> tuple[Sheet, list[Finding]]:
    """Measure every sample.

    Args:
        data: The dataset and its splits.
        rare: Number of samples below which a class is rare.

    Returns:
        The measures, and what the dataset itself finds wrong.
    """
    if isinstance(data.dataset, Dataset):
        return _examine_dataset(data, data.dataset, rare)
    return _examine_batches(data, rare)


def _examine_dataset(data: Data, dataset: Dataset, rare: int) -> tuple[Sheet, list[Finding]]:
    indices = np.concatenate(list(data.splits.values()))
    parts = [np.full(len(own), split) for split, own in data.splits.items()]
    records = _measured(data, Measured(dataset), indices)
    names = [dataset.name(index) for index in indices.tolist()]
    groups = [dataset.group(index) for index in indices.tolist()]
    spans = [dataset.span(index) for index in indices.tolist()]
    sheet = Sheet(
        names,
        np.concatenate(parts),
        records,
        dataset.input_spec,
        dataset.target_spec,
        lambda places: {at: dataset.read(int(indices[at]), None)[0] for at in places},
        None if groups == names else groups,
        None if None in spans else spans,  # type: ignore[arg-type]
        indices,
        rare,
    )
    sound = sheet.good[records["bad"][sheet.good] == 0]
    is_own = dataset.package == "reprise"  # of whose thorough checks reading is the one difference
    is_thorough = not is_own or dataset.thorough_finds_more
    lines = dataset.check(indices[sound], thorough=is_thorough)
    return sheet, [Finding("error", "unreadable", line, _named_in(line, names)) for line in lines]


def _named_in(line: str, names: Sequence[str]) -> tuple[str, ...]:
    found = [name for name in names if name in line]
    return (max(found, key=len),) if found else ()


def _measured(data: Data, measured: Measured, indices: np.ndarray, rows: int = _ROWS) -> np.ndarray:
    """Measures of these samples, by the loader's workers, so many at a time."""
    records = np.zeros(len(indices), measured.type)
    alone: list[int] = []  # positions of samples that are to be read one by one
    examined = replace(data, dataset=measured, splits={"test": indices})
    with (
        examined.loader("test", batch_size=rows, order="full", cache=None) as loader,
        _bar(len(indices)) as bar,
    ):
        assert isinstance(loader, Loader)
        step = 0
        while step < loader.steps_per_pass:
            try:
                for batch, _ in loader.batches(step, loader.steps_per_pass):
                    own = slice(step * rows, step * rows + len(batch))
                    records[own] = np.ascontiguousarray(batch).view(measured.type)[:, 0]
                    step += 1
                    bar.update(len(batch))
            except UserError as error:  # a sample ends its worker, or is stuck
                at = step * rows
                records["error"][at] = in_one_line(error).encode()
                alone += range(at, min(at + rows, len(indices)))
                step += 1
    if rows > 1 and alone:
        records[alone] = _measured(data, measured, indices[alone], rows=1)
    return records


def _examine_batches(data: Data, rare: int) -> tuple[Sheet, list[Finding]]:
    """Measure a stream, or batches that Keras reads itself: in their own order, in this process."""
    dataset = data.dataset
    findings = [
        Finding("error", "unreadable", line)
        for line in dataset.problems(data.splits, thorough=isinstance(dataset, Stream))
    ]
    kind = record_type(None, dataset.input_spec, dataset.target_spec)
    names: list[str] = []
    splits: list[str] = []
    records: list[np.ndarray] = []
    size = sum(dataset.num_samples(own) or 0 for own in data.splits.values())
    with _bar(size or None) as bar:
        for split in data.splits:
            try:
                for name, x, y in _samples(data, split):
                    record = np.zeros((), kind)
                    for fact in FACTS:
                        record[fact] = np.nan
                    measure(record, x, y, dataset.target_spec)
                    records.append(record)
                    names.append(name)
                    splits.append(split)
                    bar.update()
            except Exception as error:
                if not findings or isinstance(dataset, External):
                    message = f"{split}, after {splits.count(split)} samples: {in_one_line(error)}"
                    findings.append(Finding("error", "unreadable", message))
    for split, batches in dataset.batches.items() if isinstance(dataset, External) else ():
        if num_batches(batches) is None:
            message = f"{split} has no end: the first {splits.count(split)} samples were read"
            findings.append(Finding("note", "not read", message))
    sheet = Sheet(
        names,
        np.array(splits),
        np.array(records, kind),
        dataset.input_spec,
        dataset.target_spec,
        lambda places: {at: x for at, (x, _) in read_again(data, splits, places).items()},
        rare=rare,
    )
    return sheet, findings


def _samples(data: Data, split: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    dataset = data.dataset
    if isinstance(dataset, Stream):
        for chunk in data.splits[split]:
            place = data.splits[split].source.shard_name(chunk.shard)
            for position, x, y in zip(chunk.positions.tolist(), chunk.x, chunk.y, strict=True):
                yield sample_name(place, position), x, y
        return
    assert isinstance(dataset, External)
    batches = dataset.batches[split]
    one_pass: Iterator[Any] = islice(read(batches), num_batches(batches) or _ENDLESS)
    count = 0
    for number, (xs, ys) in enumerate(one_pass):
        for at, (x, y) in enumerate(zip(xs, ys, strict=True)):
            yield f"{split} batch {number}, sample {at}", x, y
            count += 1
        if num_batches(batches) is None and count >= _ENDLESS:
            return


def read_again(data: Data, splits: Sequence[str], places: Sequence[int]) -> dict[int, Sample]:
    """Samples of a stream, or of Keras's batches, at these places: by reading their splits."""
    wanted = set(places)
    found: dict[int, Sample] = {}
    at = 0
    for split in data.splits:
        count = list(splits).count(split)
        if any(at <= place < at + count for place in wanted):
            for _, x, y in islice(_samples(data, split), count):
                if at in wanted:
                    found[at] = x, y
                at += 1
        else:
            at += count
    return found


def changes(data: Data, config: Mapping[str, Any]) -> list[Finding]:
    """What differs where the data are opened anew in another process, and read again there.

    Reprise's own datasets read files, and are left out; so are batches that Keras reads itself.
    """
    dataset = data.dataset
    is_own = isinstance(dataset, Dataset) and dataset.package == "reprise"
    if is_own or isinstance(dataset, External):
        return []
    if isinstance(dataset, Dataset):
        lines = dataset.changes(np.concatenate(list(data.splits.values())))
        if lines:
            return [Finding("error", "changes", line) for line in lines]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        future = executor.submit(_opened_beginning, config)
        here = _beginning(data)
        try:
            there = future.result()
        except Exception as error:
            return [Finding("error", "changes", f"opened in another process: {in_one_line(error)}")]
    found = []
    for split, own in here.items():
        pairs = list(zip(own, there.get(split, []), strict=False))
        moved = [(a, b) for (a, _), (b, _) in pairs if a != b]
        other = [a for (a, one), (b, two) in pairs if a == b and one != two]
        if moved:
            message = (
                f"{split}: another process has other samples or another order, {moved[0][1]} in "
                f"the place of {moved[0][0]}; sort what is listed, seed what is drawn"
            )
            found.append(Finding("error", "changes", message, (moved[0][0],)))
        if other:
            message = (
                f"{split}: {len(other)} of the first {len(own)} samples are others when they are "
                f"read again in another process: {', '.join(other[:3])}; draw from rng alone"
            )
            found.append(Finding("error", "changes", message, tuple(other)))
    return found


def _opened_beginning(config: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    enter()
    return _beginning(open_data(config, checked=False))


def _beginning(data: Data) -> dict[str, list[tuple[str, str]]]:
    """Name and digest of the first samples of each split."""
    found: dict[str, list[tuple[str, str]]] = {}
    for split, own in data.splits.items():
        if isinstance(data.dataset, Dataset):
            read = partial(_read_again, data.dataset)
            samples: Iterator[Any] = map(read, own[:_BEGINNING].tolist())
        else:
            samples = ((name, [x, y]) for name, x, y in islice(_samples(data, split), _BEGINNING))
        found[split] = [(name, _digest(arrays)) for name, arrays in samples]
    return found


def _read_again(dataset: Dataset, index: int) -> tuple[str, list[np.ndarray]]:
    arrays: list[np.ndarray] = []
    with suppress(UserError):  # it is found by those who measure
        for seed in (None, 0):
            arrays += map(np.array, dataset.read(index, seeded(seed)))
    return dataset.name(index), arrays


def _digest(arrays: Sequence[np.ndarray]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(
            f"{array.shape}{array.dtype}".encode() + np.ascontiguousarray(array).tobytes()
        )
    return digest.hexdigest()


def _bar(total: int | None) -> tqdm:
    return tqdm(total=total, desc="reading", unit="sample", leave=False, disable=None)
