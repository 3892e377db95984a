"""What is seen of the data at the start of a run, at no cost, and what would make it faster."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from reprise.datasets.base import Dataset
from reprise.datasets.decodable import Decodable
from reprise.runs.experiment import Data
from reprise.spec import Spec

_MOST_LABELS = 100_000  # in a split, that are asked for at the start of a run
_NAMED = 4


def first_look(data: Data, x: np.ndarray, y: np.ndarray) -> list[str]:
    """What is odd about the first training samples, and about the classes of each split.

    Args:
        data: The dataset, after it has learned from its train split.
        x: The first inputs that training sees, with a batch axis.
        y: Their targets.

    Returns:
        A line each; nothing about sound data.
    """
    return [*_odd_inputs(data, x), *_odd_targets(data.dataset.target_spec, y), *_classes(data)]


def _odd_inputs(data: Data, x: np.ndarray) -> list[str]:
    count, spec = len(x), data.dataset.input_spec
    if count > 1 and all(np.array_equal(one, x[0]) for one in x[1:]):
        return [f"the first {count} inputs that training sees are equal"]
    if len(spec.shape) < 2:
        return []
    flat = sum(float(np.min(one)) == float(np.max(one)) for one in x)
    what = "silent, or constant" if np.dtype(spec.dtype).kind == "f" else "constant"
    return [f"{flat} of the first {count} inputs that training sees are {what}"] if flat else []


def _odd_targets(spec: Spec, y: np.ndarray) -> list[str]:
    if spec.kind == "mask":
        counts = y if spec.ignore is None else y[y != spec.ignore]
        if len(spec.classes) == 1 and not np.any(counts):
            return [f"none of the first {len(y)} masks has a '{spec.classes[0]}'"]
        if not np.size(counts):
            return [f"no pixel of the first {len(y)} masks counts: all are ignored"]
    is_one = len(y) > 1 and all(np.array_equal(one, y[0]) for one in y[1:])
    if spec.kind == "values" and is_one and set(spec.scale) <= {1.0}:  # so in the whole train split
        return [f"the target of every training sample is {np.ravel(y[0])[:_NAMED].tolist()}"]
    return []


def _classes(data: Data) -> list[str]:
    """Splits without a class, as far as classes are known without reading samples."""
    dataset, classes = data.dataset, data.dataset.target_spec.classes
    counts: dict[str, np.ndarray] = {}
    if len(dataset.target_spec.counts) == len(classes) > 1:
        counts["train"] = np.array(dataset.target_spec.counts)
    if isinstance(dataset, Dataset) and dataset.target_spec.kind == "class":
        for split, own in data.splits.items():
            if len(own) <= _MOST_LABELS:
                labels = [dataset.label(index) for index in own.tolist()]
                if None not in labels:
                    counts[split] = np.bincount(np.array(labels), minlength=len(classes))
    said = []
    for split, own in counts.items():
        has, lacks = np.flatnonzero(own), np.flatnonzero(own == 0)
        if len(has) == 1 and dataset.target_spec.kind == "class":
            said.append(f"every sample of the split {split} is '{classes[has[0]]}'")
        elif len(lacks):
            said.append(f"the split {split} has no {_listed([classes[at] for at in lacks])}")
    return said


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + more


def faster(data: Data) -> list[str]:
    """What could shorten the time that training waits for these data, a phrase each."""
    dataset, cores = data.dataset, len(os.sched_getaffinity(0))
    ways: list[str] = []
    workers = data.settings.get("workers")
    if not isinstance(dataset, Dataset):
        source = getattr(data.splits["train"], "source", None)
        if source is None:  # no stream: Keras reads it
            return ways
        cores = min(cores, source.num_shards)
        workers = (0 if cores == 1 else cores) if workers is None else workers
        if cores == 1:
            ways.append("a source of several shards, which workers read side by side")
    elif workers is None:
        workers = 0 if dataset.in_memory else cores
    if cores > 1 and workers < cores and not dataset.in_memory:
        ways.append(f"loader.workers={cores}, one for each core; now {workers}")
    parts = getattr(dataset, "parts", (dataset,))  # two, where old samples are mixed in
    if all(isinstance(part, Decodable) for part in parts) and not data.settings.get("cache"):
        ways.append("loader.cache=cache, which keeps decoded samples")
    if dataset.in_memory:
        ways.append("a greater loader.batch_size: the samples are in memory")
    return ways
