"""The plan of a sweep: every job is composed and checked before the first one runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprise.config.build import build
from reprise.config.check import check_each
from reprise.config.compose import Composed, Scalar, differences, flatten
from reprise.config.parameters import is_own
from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.experiment import open_data
from reprise.runs.job import Job
from reprise.runs.resume import FREE
from reprise.runs.sample_data import is_providable
from reprise.sweeps.launcher import Launcher
from reprise.sweeps.settings import Sweep
from reprise.sweeps.space import Axis, each_value_once, every_combination, read_space

SETTING = re.compile(r"[+~]*(sweep|launcher)([.=@]|$)")  # words about the sweep, not its jobs
IGNORED = (FREE - {"trainer.epochs"}) | {"tracking.runs", "tracking.experiment"}

Flat = Mapping[str, Scalar]  # values by dotted key


@dataclass(frozen=True)
class Compositions:
    """The configurations of a sweep's jobs, passwords masked, without keys that change no result.

    Args:
        first: That of the first job.
        others: The values in which each other job (of a search: each other value of a key) differs
            from the first, by its overrides, joined with spaces. None stands for a missing key.
    """

    first: Flat
    others: Mapping[str, Flat]

    @classmethod
    def of(cls, jobs: list[list[str]], composed: list[Composed]) -> Compositions:
        """Take them from the overrides and the configurations of the jobs."""
        first, *flat = [_flat(one) for one in composed]
        labels = (" ".join(overrides) for overrides in jobs[1:])
        others = {
            label: {k: own.get(k) for k in sorted({*first, *own}) if own.get(k) != first.get(k)}
            for label, own in zip(labels, flat, strict=True)
        }
        return cls(first, others)

    @classmethod
    def from_json(cls, content: Mapping[str, Flat]) -> Compositions:
        """Read what `as_json` has returned."""
        return cls(content[""], {label: flat for label, flat in content.items() if label})

    def as_json(self) -> dict[str, Flat]:
        """Return one dict for a file; the first configuration has the key ''."""
        return {"": self.first, **self.others}

    def changes(self, now: Compositions) -> list[str]:
        """Say what is not as it was: `key: before -> now`, after the overrides of the job."""
        lines = differences(self.first, now.first)
        for label, flat in now.others.items():
            lines += [f"{label}: {line}" for line in differences(self.others.get(label, {}), flat)]
        return lines

    def changes_in_common(self, composed: Composed) -> list[str]:
        """Say what one job's configuration changes of what all jobs have in common."""
        return differences(self.common(self.first), self.common(_flat(composed)))

    def common(self, flat: Flat) -> Flat:
        """Return the values of `flat` that no job varies."""
        varied = {key for other in self.others.values() for key in other}
        return {key: value for key, value in flat.items() if key not in varied}


def _flat(composed: Composed) -> Flat:
    flat = flatten(redact({"choice": composed.choices, **composed.values}))
    return {key: flat[key] for key in sorted(flat) if key not in IGNORED}


@dataclass(frozen=True)
class Plan:
    """A sweep that has passed every check.

    Args:
        words: The command line.
        fixed: Its words that every job has.
        axes: Its keys with several values.
        first: The configuration of the first job.
        sweep: Settings.
        launcher: Settings.
        metric: What jobs are ranked by, such as `valid/iou`.
        mode: Whether a larger or a smaller value of it is better: `max` or `min`.
        compositions: The configurations of the jobs.
        digest: Hash of the data.
        sources: Its files and folders.
    """

    words: list[str]
    fixed: list[str]
    axes: list[Axis]
    first: Composed
    sweep: Sweep
    launcher: Launcher
    metric: str
    mode: str
    compositions: Compositions
    digest: str
    sources: Sequence[Path] = ()

    @property
    def fixed_values(self) -> Flat:
        """What decides a result beside the varied keys: the values that all jobs have, the data."""
        own = self.compositions.common(self.compositions.first)
        return {k: v for k, v in own.items() if not SETTING.match(k)} | {"data": self.digest}

    @property
    def key(self) -> str:
        """A hash of the command without its settings of failures and launching."""
        search = self.sweep.search
        how = [search.sampler, search.seed, search.study] if search else ["grid"]
        what = [word for word in self.words if not SETTING.match(word)]
        return _hash([redact(what), how, self.metric, self.mode])

    def job(
        self,
        sweep: str,
        number: int,
        overrides: list[str],
        trial: Mapping[str, Any] | None = None,
    ) -> Job:
        """Return a job of the sweep with the id `sweep`."""
        key = _hash([sorted(overrides), self.compositions.first, self.digest])
        return Job(sweep, number, f"{sweep}-{number:03d}", key, overrides, trial)


def make_plan(words: list[str]) -> Plan:
    """Compose and check every job that a command line asks for.

    Raises:
        UserError: there are mistakes; nothing has been started.
    """
    for group, option in (("sweep", "grid"), ("launcher", "local")):
        if not any(word.startswith(f"{group}=") for word in words):
            words = [*words, f"{group}={option}"]
    fixed, axes = read_space([word for word in words if not SETTING.match(word)])
    own, own_axes = read_space([word for word in words if SETTING.match(word)])
    values = each_value_once(axes)
    with _whole_numbers_named(axes):
        singly = check_each([[*fixed, *own, *job] for job in values], providable=is_providable)
    composed = singly[0]
    _refuse_axes(axes, own_axes)
    axes = _without_repetitions(axes, singly)
    values = each_value_once(axes)
    sweep, launcher = build(composed.values["sweep"]), build(composed.values["launcher"])
    launcher.check(sweep.timeout_s)
    jobs = values if sweep.search else every_combination(axes)
    each = check_each([[*fixed, *job] for job in jobs], providable=is_providable)
    digest, sources = _data_of(each)
    metric, mode = _objective(sweep, each[0].values["trainer"])
    compositions = Compositions.of(jobs, each)
    return Plan(
        words, fixed, axes, each[0], sweep, launcher, metric, mode, compositions, digest, sources
    )


@contextmanager
def _whole_numbers_named(axes: list[Axis]) -> Iterator[None]:
    """Add to an error how an interval of whole numbers is written: Hydra makes its ends floats."""
    try:
        yield
    except UserError as error:
        what, expected, received, remedy = error.args
        for axis in axes:
            if axis.is_interval and f"{axis.name}: cannot be" in str(error):
                low, high = (f"{float(end):.0f}" for end in axis.numbers)
                remedy += (
                    f"; an interval of whole numbers is {axis.key}=int(interval({low},{high}))"
                )
        raise UserError(what, expected, received, remedy) from None


def _without_repetitions(axes: list[Axis], singly: list[Composed]) -> list[Axis]:
    """Leave out values that mean the same as another one of their key, as 1e-3 and 0.001 do.

    Args:
        axes: Keys with several values.
        singly: The configurations of `each_value_once(axes)`.
    """
    first, *others = [_meaning(one.choices) + _meaning(one.values) for one in singly]
    kept: list[Axis] = []
    for axis in axes:
        known = {first: axis.values[0]}
        for value in axis.values[1:]:
            before = known.setdefault(others.pop(0), value)
            if before is not value:
                print(f"note: {axis.name}: {value} means the same as {before}, and is one job")
        kept.append(axis if axis.numbers else replace(axis, values=tuple(known.values())))
    return kept


def _meaning(values: Any) -> str:
    """Write values so that equal ones are equal texts: 1 and 1.0 are, and true is another.

    What a target outside reprise makes of 1 and of 1.0 is not known: there they differ.
    """

    def plain(node: Any, *, is_known: bool = True) -> Any:
        if isinstance(node, Mapping):
            is_known = is_known and is_own(node.get("_target_", "reprise."))
            return {key: plain(item, is_known=is_known) for key, item in node.items()}
        if isinstance(node, list):
            return [plain(item, is_known=is_known) for item in node]
        return float(node) if type(node) is int and is_known else node

    return json.dumps(plain(values), sort_keys=True)


def _refuse_axes(axes: list[Axis], own_axes: list[Axis]) -> None:
    """Refuse a sweep over nothing, over its own settings (`own_axes`), or over passwords."""
    plain = {axis.key: [value.replace("\\", "") for value in axis.values] for axis in axes}
    secret = [key for key, values in plain.items() if redact(values) != values]
    for wrong, keys in (
        ("several values for the sweep itself", [axis.key for axis in own_axes]),
        ("passwords", secret),
        ("folders of runs", [axis.key for axis in axes if axis.name == "tracking.runs"]),
    ):
        if keys:
            raise UserError(
                f"a sweep over {wrong}",
                expected="one value for each key of sweep and launcher, and passwords left to the "
                "environment",
                received=", ".join(keys),
                remedy="give one value",
            )
    if not axes:
        raise UserError(
            "there is nothing to sweep over",
            expected="several values for at least one key",
            received="one value for each",
            remedy="give several: optimizer.learning_rate=1e-3,3e-4",
        )


def _objective(sweep: Sweep, trainer: Mapping[str, Any]) -> tuple[str, str]:
    """Return the metric that jobs are ranked by, and its `max` or `min`."""
    metric = sweep.metric or trainer["monitor"]
    if sweep.mode is None and metric != trainer["monitor"]:
        raise UserError(
            f"is a larger {metric} better, or a smaller one?",
            expected="sweep.mode beside a sweep.metric that is not trainer.monitor",
            received=f"sweep.metric={metric} sweep.mode=null",
            remedy="add sweep.mode=max or sweep.mode=min",
        )
    return metric, sweep.mode or trainer["monitor_mode"]


def _data_of(each: list[Composed]) -> tuple[str, list[Path]]:
    """Return a hash of the data of all jobs, and where it is; opening the data checks it."""
    from reprise.tracking.provenance import data_version

    distinct = {json.dumps(one.values["dataset"], sort_keys=True): one for one in each}
    opened = [open_data(one.values) for one in distinct.values()]
    sources = {(tuple(data.sources), data.dataset.stamp) for data in opened}
    digests = sorted({data_version(ROOT, paths, stamp).digest for paths, stamp in sources})
    files = [path for paths, _ in sources for path in paths]
    return digests[0] if len(digests) == 1 else _hash(digests), files


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def require_measured(metric: str, first: Composed) -> None:
    """Check that the best model is scored by a metric.

    A process of its own builds the objective: that of the sweep never imports TensorFlow, so that
    the whole GPU is left to the jobs.

    Args:
        metric: `valid/<name>`.
        first: The configuration of the first job.

    Raises:
        UserError: the metric is not measured, or the objective cannot be built.
    """
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "reprise", "metrics", *first.overrides]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    names = [line for line in done.stdout.splitlines() if line.startswith("valid/")]
    if done.returncode != 0:
        raise UserError(
            "the first job could not begin",
            expected="an experiment that can be trained",
            received=redact(done.stderr.strip())[-1000:],
            remedy="mend it; nothing has been started",
        )
    if metric not in names:
        raise UserError(
            f"sweep.metric={metric} is not measured",
            expected=", ".join(names),
            received=metric,
            remedy="choose one of these with sweep.metric; its value is that of the best model",
        )
