"""The verdict on two runs: whether one is the other's equal, and what tells them apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprise.errors import UserError
from reprise.runs.difference import (
    changed_code,
    changed_config,
    changed_data,
    changed_engine,
    changed_machine,
    changed_packages,
)
from reprise.runs.load import SavedRun
from reprise.runs.resume import FREE
from reprise.tracking.contents import SHOWN
from reprise.tracking.journal import metric_history, tags_of

# Relative difference up to which other hardware explains other numbers. Sums in another order
# differ in the last bits of float32 (1e-7); training multiplies that, here by up to 1e5.
TOLERANCE = 1e-2
UNTIMED = "time/"


@dataclass(frozen=True)
class Verdict:
    """What a second training of a run has shown.

    Args:
        kind: `identical`, `equal` (but for what other hardware explains) or `different`.
        text: In a line, `identical: 12 metrics at 3 steps, and the weights`.
        details: What differed in numbers, code, data, packages and machine, a line each.
    """

    kind: str
    text: str
    details: tuple[str, ...] = ()


def compare(first: SavedRun, second: SavedRun, epochs: int | None = None) -> Verdict:
    """Compare two runs: every metric at every step, and the last weights.

    Args:
        first: The run.
        second: The one that should be its equal.
        epochs: Compare only this many epochs, and what was recorded within them; None: all.
    """
    pairs, missing = _pairs(first.folder, second.folder, epochs)
    tags = [tags_of(run.folder) for run in (first, second)]
    weights = [one.get("weights_sha256") for one in tags]
    same_weights = epochs is not None or (weights[0] == weights[1] and weights[0] is not None)
    unequal = [pair for pair in pairs if not _same(pair[2], pair[3])]
    if not pairs:
        return Verdict("different", "different: there is no metric to compare")
    steps = len({step for step, *_ in pairs})
    names = len({name for _, name, *_ in pairs})
    if not unequal and not missing and same_weights:
        what = f"{names} metrics at {steps} steps"
        weighed = "" if epochs else ", and the weights"
        return Verdict("identical", f"identical: {what}{weighed}")
    causes = _causes(first, second, *tags)
    if not unequal:
        what = missing[0] if missing else "the weights alone, not the metrics"
        return Verdict("different", f"different: {what}", tuple(causes))
    worst = max(unequal, key=lambda pair: _relative(pair[2], pair[3]))
    largest = _relative(worst[2], worst[3])
    where = f"{worst[1]} at {worst[0]}: {worst[2]!r} and {worst[3]!r}"
    other = [cause for cause in causes if not cause.startswith("machine")]
    if largest <= TOLERANCE and len(causes) > len(other) and not other and not missing:
        text = f"equal within {largest:.1e}, as another machine explains"
        return Verdict("equal", text, (f"largest: {where}", *causes))
    single = [pair for pair in unequal if pair[1].startswith("step/")]
    step, name, first_value, second_value = min(single or unequal)
    unit = "step" if single else "epoch"
    text = f"different from {unit} {step} on: {name} {first_value!r} and {second_value!r}"
    return Verdict("different", text, (f"largest: {where}", *missing[:3], *causes))


def _pairs(
    first: Path, second: Path, epochs: int | None
) -> tuple[list[tuple[int, str, float, float]], list[str]]:
    """Step, name and both values of every metric of both runs; and what only one of them has."""
    one, two = metric_history(first), metric_history(second)
    pairs, missing = [], []
    for name in sorted({*one, *two}):
        if name.startswith(UNTIMED):
            continue
        mine, theirs = one.get(name, {}), two.get(name, {})
        steps = {*mine, *theirs}
        if epochs is not None:  # metrics of single steps count otherwise, those of the end are not
            is_epochs = name.startswith(("train/", "valid/", "learning_rate"))
            steps = {step for step in steps if is_epochs and step <= epochs}
        pairs += [(s, name, mine[s], theirs[s]) for s in sorted(steps) if s in mine and s in theirs]
        alone = sorted(step for step in steps if (step in mine) != (step in theirs))
        missing += [f"{name} at {alone[0]} is in one of them only"] if alone else []
    return pairs, missing


def _same(one: float, two: float) -> bool:
    return one == two or (math.isnan(one) and math.isnan(two))


def _relative(one: float, two: float) -> float:
    larger = max(abs(one), abs(two))
    return abs(one - two) / larger if math.isfinite(larger) and larger else math.inf


def _causes(
    first: SavedRun, second: SavedRun, one: Mapping[str, str], two: Mapping[str, str]
) -> list[str]:
    """What differs in config, code, data, packages and machine, a line each."""
    config = changed_config(first, second)
    parts = {
        "config": [line for line in config if line.partition(":")[0] not in FREE],
        "code": _changed_files(first, second)
        if one.get("code.tree") != two.get("code.tree")
        else [],
        "data": changed_data(first, second),
        "engine": changed_engine(one, two),
        "package": changed_packages(first.folder, second.folder),
        "machine": changed_machine(one, two),
    }
    return [f"{part} {line}" for part, lines in parts.items() for line in lines]


def _changed_files(first: SavedRun, second: SavedRun) -> list[str]:
    try:
        names = changed_code(first.folder, second.folder)
    except UserError as error:
        return [f"cannot be compared: {error.args[0]}"]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"changed: {', '.join(names[:SHOWN])}{more}"] if names else []
