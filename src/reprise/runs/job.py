"""One job of a sweep: what its own process has to know of it, as a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprise.tracking.run import Run

JOB = "job.json"  # in the folder of a job's run
PRUNED = "pruned.txt"  # likewise, where it was ended before its last epoch


@dataclass(frozen=True)
class Job:
    """One job; its process depends on nothing else that the sweep knows.

    Args:
        sweep: Id of the sweep.
        number: From 1.
        run: Id of its run.
        key: Hash of its overrides, the sweep's base configuration and its data.
        overrides: Words that set it apart from the sweep's other jobs.
        trial: Where it may be pruned, what that takes: `study`, `trial` (Optuna's id), `is_local`
            (its database is in the sweep's folder, and not where REPRISE_SWEEP_STORAGE says),
            `monitor` (Keras's name of the metric), `n_startup_trials` and `n_warmup_epochs`.
    """

    sweep: str
    number: int
    run: str
    key: str
    overrides: list[str]
    trial: Mapping[str, Any] | None = None

    @property
    def title(self) -> str:
        """A name that tells it from the others: `03 backbone=unet learning_rate=0.001`."""
        short = (word.lstrip("+").partition("=")[0].rpartition(".")[2] for word in self.overrides)
        values = (word.partition("=")[2] for word in self.overrides)
        said = (f"{key}={value}" for key, value in zip(short, values, strict=True))
        return " ".join([f"{self.number:02d}", *said])

    def record(self, run: Run) -> None:
        """Write down with the job's run that it is one, as child, params, tags and a file."""
        swept = {
            word.lstrip("+").partition("=")[0]: word.partition("=")[2] for word in self.overrides
        }
        run.child_of(self.sweep)
        run.tags({"sweep.id": self.sweep, "sweep.job": self.number, "sweep.key": self.key})
        run.tags({f"sweep.{key}": value for key, value in swept.items()})
        run.params({key: value for key, value in swept.items() if "." not in key})  # groups
        run.text(JOB, json.dumps(asdict(self), indent=1))

    def write(self, path: Path) -> None:
        """Write its file, whole or not at all."""
        write_whole(path, json.dumps(asdict(self), indent=1))


def read_job(path: Path) -> Job:
    """Read a job's file."""
    return Job(**json.loads(path.read_text()))


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a kill leaves it as it was or as it is to be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
