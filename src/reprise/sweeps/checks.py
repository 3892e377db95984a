"""What is looked at before a sweep's first job runs, beside the configurations themselves."""

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.experiment import open_data
from reprise.sweeps.settings import Sweep
from reprise.sweeps.space import Axis


def refuse_odd(several: list[str], axes: list[Axis]) -> None:
    """Refuse a sweep over nothing, over its own settings (`several`), or over passwords."""
    plain = {axis.key: [value.replace("\\", "") for value in axis.values] for axis in axes}
    secret = [key for key, values in plain.items() if redact(values) != values]
    for wrong, received in (
        ("several values for the sweep itself", several),
        ("passwords", secret),
    ):
        if received:
            raise UserError(
                f"a sweep over {wrong}",
                expected="one value for each key of sweep and launcher, and passwords left to the "
                "environment",
                received=", ".join(received),
                remedy="give one value",
            )
    if not axes:
        raise UserError(
            "there is nothing to sweep over",
            expected="several values for at least one key",
            received="one value for each",
            remedy="give several: optimizer.learning_rate=1e-3,3e-4",
        )


def aim(sweep: Sweep, first: Composed) -> tuple[str, str]:
    """What jobs are ranked by, and whether the `max` or the `min` of it is best."""
    trainer = first.values["trainer"]
    metric = sweep.metric or trainer["monitor"]
    if sweep.mode is None and metric != trainer["monitor"]:
        raise UserError(
            f"is a larger {metric} better, or a smaller one?",
            expected="sweep.mode beside a sweep.metric that is not trainer.monitor",
            received=f"sweep.metric={metric} sweep.mode=null",
            remedy="add sweep.mode=max or sweep.mode=min",
        )
    return metric, sweep.mode or trainer["monitor_mode"]


def require_measured(metric: str, first: Composed) -> None:
    """Refuse a metric that the best model is not scored by; a process of its own finds out.

    The sweep's process never imports TensorFlow: the GPU is for the jobs.
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


def digest_of(each: list[Composed]) -> str:
    """Hash of the data of all jobs; opening it looks for what is wrong with it."""
    from reprise.tracking.provenance import data_version

    distinct = {json.dumps(one.values["dataset"], sort_keys=True): one for one in each}
    opened = [open_data(one.values).dataset for one in distinct.values()]
    seen = {(tuple(one.sources), one.stamp) for one in opened}
    digests = sorted({data_version(ROOT, paths, stamp).digest for paths, stamp in seen})
    return digests[0] if len(digests) == 1 else hash_of(digests)


def hash_of(content: Any) -> str:
    """A short hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
