"""The verdict on two runs: whether one is the other's equal, and what tells them apart."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reprise.config.compose import flatten
from reprise.runs.folder import PACKAGES, SNAPSHOT
from reprise.runs.load import SavedRun
from reprise.runs.resume import FREE, differences
from reprise.tracking.contents import changes, read_list
from reprise.tracking.journal import metric_history, tags_of

# Relative difference up to which other hardware explains other numbers. Sums in another order
# differ in the last bits of float32 (1e-7); training multiplies that, here by up to 1e5.
TOLERANCE = 1e-2
MACHINE = ("device", "platform", "machine.cpu", "machine.threads")
UNTIMED = ("time/", "system/")


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
    before, now = (flatten(dict(run.config)) for run in (first, second))
    found = [
        f"config {line}"
        for line in differences(before, now)
        if line.partition(":")[0] not in {*FREE, "tracking.runs", "tracking.experiment"}
    ]
    if one.get("code.tree") != two.get("code.tree"):
        found.append(f"code {_changed_code(first.folder, second.folder)}")
    found += [f"data {line}" for line in _changed_data(first, second)]
    if one.get("engine.sha256") != two.get("engine.sha256"):
        found.append(f"engine {one.get('engine.sha256')} -> {two.get('engine.sha256')}")
    had, has = (_packages(run.folder) for run in (first, second))
    found += [f"package {line}" for line in differences(had, has)] if had and has else []
    return found + [
        f"machine {name}: {one.get(name)} -> {two.get(name)}"
        for name in MACHINE
        if one.get(name) != two.get(name)
    ]


def _changed_data(first: SavedRun, second: SavedRun) -> list[str]:
    lists = [read_list(run.folder) for run in (first, second)]
    if lists[0] and lists[1] and (lines := changes(lists[0][1], lists[1][1])):
        return lines
    same = first.data_digest == second.data_digest
    return [] if same else [f"{first.data_digest} -> {second.data_digest}"]


def _packages(folder: Path) -> dict[str, str]:
    file = folder / PACKAGES
    lines = file.read_text().splitlines() if file.exists() else []
    found = dict(line.split("==", 1) for line in lines)
    found.pop("reprise", None)  # of the engine its hash tells more
    return found


def _changed_code(first: Path, second: Path) -> str:
    """Names of the files that differ between the snapshots of two runs."""
    if not (first / SNAPSHOT).exists() or not (second / SNAPSHOT).exists():
        return "of one run is not recorded"
    trees = [dict(_files(folder / SNAPSHOT)) for folder in (first, second)]
    changed = sorted(f for f in {*trees[0], *trees[1]} if trees[0].get(f) != trees[1].get(f))
    more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
    return f"changed: {', '.join(changed[:5])}{more}"


def _files(bundle: Path) -> Iterator[tuple[str, str]]:
    """Name and git's id of every file in a snapshot."""
    with TemporaryDirectory() as scratch:
        clone = ["git", "clone", "-q", "--bare", str(bundle.resolve()), scratch]
        subprocess.run(clone, check=True, capture_output=True)
        listed = ["git", "-C", scratch, "ls-tree", "-rz", "HEAD"]
        out = subprocess.run(listed, check=True, capture_output=True).stdout
    for line in out.decode(errors="replace").split("\0")[:-1]:
        about, _, name = line.partition("\t")
        yield name, about
