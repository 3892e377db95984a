"""A search: Optuna is asked for the next job's values, and told what came of them."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from reprise.runs.job import Job
from reprise.sweeps.ledger import Ledger, State, locked
from reprise.sweeps.settings import STUDY_FILE, Search
from reprise.sweeps.space import Axis
from reprise.sweeps.storage import open_study

SWEEP = "sweep"  # attribute of a trial: which sweep runs it
ENDED = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Study:
    """Gives jobs until there are `n_trials` in the study, whoever has asked for them.

    Args:
        ledger: Where jobs are written down.
        search: Settings.
        axes: What is searched.
        metric: What is searched for, such as `valid/iou`.
        mode: Whether a larger or a smaller value of it is better: `max` or `min`.
        job: Makes a job from its number, its overrides and what pruning has to know (None: it is
            not to be pruned).
        value: Gives the value of a job that is done.
    """

    def __init__(
        self,
        ledger: Ledger,
        search: Search,
        axes: list[Axis],
        metric: str,
        mode: str,
        job: Callable[[int, list[str], dict[str, Any] | None], Job],
        value: Callable[[Job], float],
    ) -> None:
        self._ledger, self._search, self._axes = ledger, search, axes
        self._metric, self._job, self._value = metric, job, value
        self._foreign, self._sweep = search.foreign_storage(), ledger.folder.name
        direction = "maximize" if mode == "max" else "minimize"
        with locked(self._lock):
            self._study = open_study(
                self._foreign or f"sqlite:///{ledger.folder / STUDY_FILE}",
                lambda storage: optuna.create_study(
                    storage=storage,
                    study_name=search.study or self._sweep,
                    direction=direction,
                    load_if_exists=True,
                ),
            )

    @property
    def _lock(self) -> Path:
        return self._ledger.folder / "study.lock"

    def more(self) -> Job | None:
        """Write down a further job, and return it; None once there are enough."""
        with locked(self._lock):
            trials = self._study.get_trials(deepcopy=False)
            trial = self._cut_short(trials)
            if trial is None:
                if len(trials) >= self._search.n_trials:
                    return None
                self._study.sampler = _sampler(self._search, len(trials))
                trial = self._study.ask()
                trial.set_user_attr(SWEEP, self._sweep)
            overrides = [f"{axis.key}={_value(trial, axis)}" for axis in self._axes]
            job = self._job(trial.number + 1, overrides, self._pruning(trial))
            job.write(self._ledger.file(job.number, "json"))
            return job

    def over(self, job: Job, state: State) -> None:
        """Tell the study how a job has ended, once."""
        ended, value = ENDED[state], self._value(job) if state == "done" else None
        if value is not None and math.isnan(value):
            ended, value = TrialState.FAIL, None
        self._study.tell(job.number - 1, value, ended, skip_if_finished=True)

    def _cut_short(self, trials: list[Any]) -> Trial | None:
        """A trial that was asked for by a process that was killed before it wrote the job down."""
        unmarked = None if self._foreign else self._sweep
        for frozen in trials:
            is_ours = frozen.user_attrs.get(SWEEP, unmarked) == self._sweep
            is_known = self._ledger.file(frozen.number + 1, "json").exists()
            if frozen.state == TrialState.RUNNING and is_ours and not is_known:
                return Trial(self._study, frozen._trial_id)
        return None

    def _pruning(self, trial: Trial) -> dict[str, Any] | None:
        if not self._search.prune:
            return None
        return {
            "study": self._study.study_name,
            "trial": trial._trial_id,
            "is_local": self._foreign is None,
            "monitor": "val_" + self._metric.partition("/")[2],
            "n_startup_trials": self._search.n_startup_trials,
            "n_warmup_epochs": self._search.n_warmup_epochs,
        }


def _sampler(search: Search, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial: of its own, so that a restart repeats no draw and changes none."""
    seed = (search.seed * 1_000_003 + number) % 2**32
    if search.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _value(trial: Trial, axis: Axis) -> str:
    """The trial's value for a key, in Hydra's grammar."""
    key = axis.key.lstrip("+")
    if not axis.numbers:
        return str(trial.suggest_categorical(key, axis.values))
    low, high = axis.numbers[0], axis.numbers[-1]
    if isinstance(low, int) and isinstance(high, int):
        step = int(axis.step or 1)
        return repr(trial.suggest_int(key, low, high, step=step, log=axis.is_log))
    return repr(trial.suggest_float(key, low, high, step=axis.step, log=axis.is_log))
