"""The settings of a sweep, as conf/sweep/ has them."""

import os
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

STORAGE = "REPRISE_SWEEP_STORAGE"  # environment variable: address of the study's database
# Files in the sweep's folder.
SWEEP = "sweep.json"  # which sweep it is
STUDY_FILE = "study.db"  # the study, if its database is not elsewhere


@dataclass(frozen=True, kw_only=True)
class Search:
    """How the values of the next job are chosen in a search.

    Args:
        sampler: `random`, or `tpe`, Optuna's tree-structured Parzen estimator.
        n_trials: Number of jobs, however often the sweep is stopped and continued.
        seed: Determines the values, for `tpe` together with the results so far.
        prune: End a job once it is worse than the median of the others at the same epoch.
        n_startup_trials: Finished jobs before any is pruned.
        n_warmup_epochs: Epochs of a job before it can be pruned.
        storage: Address of the study's database; None means the environment variable
            REPRISE_SWEEP_STORAGE, or an SQLite file in the sweep's folder.
        study: Name of a study that sweeps on several machines share; None means the sweep's id.
    """

    sampler: Literal["random", "tpe"] = "tpe"
    n_trials: Annotated[int, Ge(1)] = 20
    seed: Annotated[int, Ge(0)] = 0
    prune: bool = True
    n_startup_trials: Annotated[int, Ge(0)] = 5
    n_warmup_epochs: Annotated[int, Ge(0)] = 1
    storage: str | None = None
    study: str | None = None

    def database(self) -> str | None:
        """Return the address of the study's database if it is not in the sweep's folder."""
        return self.storage or os.environ.get(STORAGE) or None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a sweep optimizes, and what it does with jobs that fail.

    Args:
        metric: Metric of a run's best model that jobs are ranked and searched by, `valid/<name>`;
            None means trainer.monitor.
        mode: Whether a larger or a smaller value is better; None means trainer.monitor_mode.
        retries: Further attempts at a failed job, from its own training state.
        max_failures: Once more jobs than this have failed, no new one is started; None for no
            limit.
        timeout_s: Longest duration of one attempt, in seconds; None for any.
        retry_failed: Try again the jobs that had failed when the sweep last ended.
        fresh: Start a new sweep although the same command has started one before.
        search: How values are chosen; None for every combination.
    """

    metric: str | None = None
    mode: Literal["min", "max"] | None = None
    retries: Annotated[int, Ge(0)] = 0
    max_failures: Annotated[int, Ge(0)] | None = None
    timeout_s: Annotated[float, Gt(0)] | None = None
    retry_failed: bool = False
    fresh: bool = False
    search: Search | None = None
