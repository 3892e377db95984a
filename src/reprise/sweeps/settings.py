"""The settings of a sweep, as conf/sweep/ and conf/launcher/ write them."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt

STORAGE = "REPRISE_SWEEP_STORAGE"  # environment variable: a database for the study
STUDY_FILE = "study.db"  # in the sweep\'s folder, where no other database is asked for


@dataclass(frozen=True, kw_only=True)
class Search:
    """How the values of the next job are found, where not every combination is tried.

    Args:
        sampler: `random`, or Optuna's tree-structured Parzen estimator.
        n_trials: Jobs in all, however often the sweep is stopped and started again.
        seed: The values follow from it and, for `tpe`, from the results so far.
        prune: Stop a job in mid-training once it is worse than the median of the others at the same
            epoch.
        n_startup_trials: Finished jobs before any is pruned.
        n_warmup_epochs: Epochs of a job before it can be pruned.
        storage: Address of the study's database; None means the environment variable
            REPRISE_SWEEP_STORAGE, or an SQLite file in the sweep's folder.
        study: Name of the study, for sweeps on several machines to share; None means the sweep's
            id.
    """

    sampler: Literal["random", "tpe"] = "tpe"
    n_trials: Annotated[int, Ge(1)] = 20
    seed: Annotated[int, Ge(0)] = 0
    prune: bool = True
    n_startup_trials: Annotated[int, Ge(0)] = 5
    n_warmup_epochs: Annotated[int, Ge(0)] = 1
    storage: str | None = None
    study: str | None = None

    def foreign_storage(self) -> str | None:
        """The address of a database outside of the sweep's folder, if there is to be one."""
        return self.storage or os.environ.get(STORAGE) or None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a sweep aims at, and how it deals with jobs that go wrong.

    Args:
        metric: What jobs are ranked and searched by, of a run's best model: `valid/NAME`; None
            means trainer.monitor.
        mode: Whether a larger or a smaller value is better; None means trainer.monitor_mode.
        retries: How often a failed job is tried again, from its own training state.
        max_failures: Once more jobs than this have failed no new one begins; None: all are tried.
        timeout_s: Longest time of one attempt, in seconds; None: any.
        retry_failed: Try jobs again that had failed when the sweep last ended.
        fresh: Begin a new sweep although this command has one.
        search: How values are found; None: every combination.
    """

    metric: str | None = None
    mode: Literal["min", "max"] | None = None
    retries: Annotated[int, Ge(0)] = 0
    max_failures: Annotated[int, Ge(0)] | None = None
    timeout_s: Annotated[float, Gt(0)] | None = None
    retry_failed: bool = False
    fresh: bool = False
    search: Search | None = None


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """Where jobs run, and how many at once.

    Args:
        n_jobs: Jobs at once, as joblib counts them: -1 is one for each core.
        command: Words in front of each job's own command line, which have to wait for it and pass
            its signals and exit code on: `[srun, --gpus=1]`.
    """

    n_jobs: Annotated[int, Ge(1)] | Literal[-1] = 1
    command: list[str] = field(default_factory=list)

    def places(self) -> int:
        """How many jobs run at once."""
        from joblib import effective_n_jobs

        return int(effective_n_jobs(self.n_jobs))

    def environment(self, place: int) -> dict[str, str]:
        """The environment of the job in one of the places, counted from 0: its GPU, shared out."""
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        devices = Path("/dev").glob("nvidia[0-9]*")
        gpus = seen.split(",") if seen is not None else sorted(d.name[6:] for d in devices)
        shared = self.n_jobs != 1 and len(gpus) > 1
        chosen = {"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if shared else {}
        return {**os.environ, **chosen}
