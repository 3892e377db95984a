"""One job of a sweep, as the file that its own process reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprise.files import write_text
from reprise.runs.folder import JOB

if TYPE_CHECKING:
    from reprise.tracking.run import Run


@dataclass(frozen=True)
class Job:
    """One job; its process needs nothing else from the sweep.

    Args:
        sweep: Id of the sweep.
        number: From 1; in a search one more than the number of Optuna's trial.
        run: Id of its run.
        key: Hash of its overrides, the sweep's base configuration and its data.
        overrides: The words in which it differs from the sweep's other jobs.
        trial: What pruning needs, or None if the job is not to be pruned: `study` (its name),
            `is_local` (whether its database is in the sweep's folder, and not where
            REPRISE_SWEEP_STORAGE says), `monitor` (Keras's name of the metric),
            `n_startup_trials` and `n_warmup_epochs`.
    """

    sweep: str
    number: int
    run: str
    key: str
    overrides: list[str]
    trial: Mapping[str, Any] | None = None

    @property
    def values(self) -> dict[str, str]:
        """The job's value of each swept key, as text."""
        words = (word.lstrip("+").partition("=") for word in self.overrides)
        return {key: value for key, _, value in words}

    @property
    def title(self) -> str:
        """A name that tells it from the others: `03 backbone=unet learning_rate=0.001`."""
        short = (f"{key.rpartition('.')[2]}={value}" for key, value in self.values.items())
        return " ".join([f"{self.number:02d}", *short])

    def record(self, run: Run) -> None:
        """Record with the job's run which job it is: as child, params, tags and a file."""
        run.child_of(self.sweep)
        run.tags({"sweep.id": self.sweep, "sweep.job": self.number, "sweep.key": self.key})
        run.tags({f"sweep.{key}": value for key, value in self.values.items()})
        run.params({key: value for key, value in self.values.items() if "." not in key})  # groups
        run.text(JOB, json.dumps(asdict(self), indent=1))

    def write(self, path: Path) -> None:
        """Write its file in one step."""
        write_text(path, json.dumps(asdict(self), indent=1))


def read_job(path: Path) -> Job:
    """Read a job's file."""
    return Job(**json.loads(path.read_text()))
