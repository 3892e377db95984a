"""What a sweep is to do: every job composed and checked before the first of them runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reprise.config.build import build
from reprise.config.check import check_each
from reprise.config.compose import Composed, flatten
from reprise.config.files import options_of
from reprise.config.secrets import redact
from reprise.runs import sample_data as data
from reprise.runs.resume import FREE
from reprise.sweeps.checks import aim, digest_of, hash_of, refuse_odd
from reprise.sweeps.settings import Launcher, Sweep
from reprise.sweeps.space import Axis, each_value_once, every_combination, read_space

OWN = re.compile(r"[+~]*(sweep|launcher)([.=@]|$)")  # words that are about the sweep itself
IGNORED = (FREE - {"trainer.epochs"}) | {"tracking.runs", "tracking.experiment"}

Compositions = dict[str, dict[str, Any]]


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
        metric: What jobs are ranked by.
        mode: `max` or `min`.
        compositions: The first job's whole configuration under '', and under the overrides of each
            of the others (of a search: of each value once) what differs from it.
        digest: Hash of the data.
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

    @property
    def key(self) -> str:
        """The same for the same command, whatever its settings of failures and launching."""
        search = self.sweep.search
        how = [search.sampler, search.seed, search.study] if search else ["grid"]
        what = [word for word in self.words if not OWN.match(word)]
        return hash_of([redact(what), how, self.metric, self.mode])

    def job_key(self, overrides: list[str]) -> str:
        """The same for the same job: overrides, base configuration and data."""
        return hash_of([sorted(overrides), self.compositions[""], self.digest])


def make_plan(words: list[str]) -> Plan:
    """Compose and check all that the words ask for.

    Raises:
        UserError: there are mistakes; nothing has been started.
    """
    for group, option in (("sweep", "grid"), ("launcher", "one")):
        if not any(word.startswith(f"{group}=") for word in words):
            words = [*words, f"{group}={option}"]
    own = [word for word in words if OWN.match(word)]
    fixed, axes = read_space([word for word in words if word not in own], options_of)
    own, own_axes = read_space(own, options_of)
    once = [[*fixed, *own, *job] for job in each_value_once(axes)]
    composed = check_each(once, providable=_providable)[0]
    refuse_odd([axis.key for axis in own_axes], axes)
    sweep, launcher = build(composed.values["sweep"]), build(composed.values["launcher"])
    jobs = each_value_once(axes) if sweep.search else every_combination(axes)
    each = check_each([[*fixed, *job] for job in jobs], providable=_providable)
    digest = digest_of(each)
    metric, mode = aim(sweep, each[0])
    labels = ["", *(" ".join(job) for job in jobs[1:])]
    compositions = _compositions(dict(zip(labels, each, strict=True)))
    return Plan(words, fixed, axes, each[0], sweep, launcher, metric, mode, compositions, digest)


def _providable(path: Any) -> bool:
    return data.stage_for(path) is not None


def _compositions(each: Mapping[str, Composed]) -> Compositions:
    flat = {
        label: {
            key: value
            for key, value in flatten(redact({"choice": one.choices, **one.values})).items()
            if key not in IGNORED
        }
        for label, one in each.items()
    }
    first = flat[""]
    return {
        label: {
            key: own.get(key)
            for key in sorted({*first, *own})
            if label == "" or own.get(key) != first.get(key)
        }
        for label, own in flat.items()
    }


def drift(before: Compositions, composed: Composed) -> list[str]:
    """What has changed for one job, of what all jobs have in common: `key: before -> now`."""
    varied = {key for label, delta in before.items() if label for key in delta}
    common = {key: value for key, value in before[""].items() if key not in varied}
    now = _compositions({"": composed})[""]
    return differences({"": common}, {"": {key: now.get(key) for key in {*common, *now} - varied}})


def differences(before: Compositions, now: Compositions) -> list[str]:
    """What has changed of the configurations: `key: before -> now`."""
    return [
        f"{label + ': ' if label else ''}{key}: {old.get(key)} -> {new.get(key)}"
        for label, new in now.items()
        for old in [before.get(label, {})]
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
