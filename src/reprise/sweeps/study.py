"""A search: Optuna proposes the values of each job and is told the results."""

import math
import warnings
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from reprise.errors import UserError
from reprise.files import locked
from reprise.runs.job import Job
from reprise.sweeps.ledger import Ledger, State
from reprise.sweeps.plan import Plan
from reprise.sweeps.settings import STORAGE, STUDY_FILE, Search
from reprise.sweeps.space import Axis

OWNER = "sweep"  # attribute of a trial: id of the sweep that runs it
# Attributes of a study: what its values are of, for which keys, and the values of all others.
AIM, SPACE, FIXED = "metric", "space", "fixed"
ENDS = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
WAIT_S = 60  # for another process to unlock an SQLite file


def open_storage(url: str) -> RDBStorage:
    """Open the database of studies at `url`.

    Raises:
        UserError: it cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    arguments = {"connect_args": {"timeout": WAIT_S}} if url.startswith("sqlite") else {}
    try:
        tables = inspect(create_engine(url, **arguments)).get_table_names()
        if tables and "studies" not in tables:  # Optuna would make its own between them
            raise ValueError(f"it is one of something else, with a table {tables[0]}")
        return RDBStorage(url, engine_kwargs=arguments)
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        raise UserError(
            f"the study's database cannot be used: {str(error).splitlines()[0]}",
            expected="the address of a database of studies alone, as SQLAlchemy writes it",
            received=url,
            remedy=f"mend sweep.search.storage or {STORAGE}, or leave both out for a local file",
        ) from None


def open_trial(study: optuna.Study, storage: RDBStorage, number: int) -> Trial:
    """Open a trial that another process has asked for."""
    study_id = storage.get_study_id_from_name(study.study_name)
    return Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))


def _shared_study(plan: Plan) -> optuna.Study | None:
    """The study that a sweep would join; None if it has none, or a new one."""
    search = plan.sweep.search
    if search is None or (url := search.database()) is None:
        return None
    storage = open_storage(url)
    if search.study not in {study.study_name for study in storage.get_all_studies()}:
        return None
    return optuna.load_study(study_name=search.study, storage=storage)


def refuse_other_study(plan: Plan) -> None:
    """Refuse to share a study whose direction, metric, space, configuration or data are others.

    Raises:
        UserError: the study is another one, or its database cannot be used.
    """
    search, study = plan.sweep.search, _shared_study(plan)
    if search is None or study is None:
        return
    wanted = "maximize" if plan.mode == "max" else "minimize"
    has = [direction.name.lower() for direction in study.directions]
    aims = study.user_attrs.get(AIM, plan.metric)
    ours, theirs = _space(plan), study.user_attrs.get(SPACE, {})
    for trial in study.get_trials(deepcopy=False):  # of a study that something else has made
        theirs = theirs or {key: _written(one) for key, one in trial.distributions.items()}
    differ = [] if has == [wanted] else [("sweep.mode", ", ".join(has), wanted)]
    differ += [] if aims == plan.metric else [("sweep.metric", aims, plan.metric)]
    for key in sorted({*ours, *theirs}) if theirs else ():
        pair = theirs.get(key, "one value"), ours.get(key, "one value")
        differ += [] if pair[0] == pair[1] else [(key, *pair)]
    fixed = plan.fixed_values
    before = study.user_attrs.get(FIXED, fixed)
    for key in sorted({*before, *fixed} - {*ours, *theirs}):
        pair = str(before.get(key, "none")), str(fixed.get(key, "none"))
        differ += [] if pair[0] == pair[1] else [(key, *pair)]
    if differ:
        raise UserError(
            f"study {search.study} is of another search: {differ[0][0]}",
            expected="\n".join(f"{key}: {theirs}" for key, theirs, _ in differ),
            received="\n".join(f"{key}: {ours}" for key, _, ours in differ),
            remedy="search for the same, or give another name: sweep.search.study=NAME",
        )


def refuse_full_study(plan: Plan) -> None:
    """Refuse to begin a sweep on a shared study that has all its trials: no job would be trained.

    Raises:
        UserError: it has.
    """
    search, study = plan.sweep.search, _shared_study(plan)
    if search is None or study is None:
        return
    count = len(study.get_trials(deepcopy=False))
    if count >= search.n_trials:
        raise UserError(
            f"study {search.study} has {count} trials already, and no job would be trained",
            expected="a greater sweep.search.n_trials, which counts the trials of all who share it",
            received=f"sweep.search.n_trials={search.n_trials}",
            remedy=f"sweep.search.n_trials={count + search.n_trials}, or another study: "
            "sweep.search.study=NAME",
        )


def _distribution(axis: Axis) -> BaseDistribution:
    """Return the values of a key as Optuna knows them."""
    if not axis.numbers:
        return CategoricalDistribution(axis.values)
    low, high = axis.numbers[0], axis.numbers[-1]
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, axis.is_log, int(axis.step or 1))
    if axis.step:  # 0.3 three times is 0.8999999999999999, which Optuna finds no multiple of it
        low, high = round(low, 12), round(high, 12)
    return FloatDistribution(low, high, axis.is_log, axis.step)


def _space(plan: Plan) -> dict[str, str]:
    return {axis.name: _written(_distribution(axis)) for axis in plan.axes}


def _written(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(map(str, distribution.choices))
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    log = ", by its logarithm" if distribution.log else ""
    step = f" in steps of {distribution.step}" if distribution.step else ""
    return f"{distribution.low} to {distribution.high}{step}{log}"


class Study:
    """The study of a sweep, which has `n_trials` trials in all, whichever process asks for them.

    The job of a trial has the trial's number plus one.

    Args:
        ledger: The jobs.
        plan: The sweep, a search.
    """

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        assert plan.sweep.search is not None
        self._ledger, self._plan, self._search = ledger, plan, plan.sweep.search
        self._sweep = ledger.folder.name
        self._lock = ledger.folder / "study.lock"
        self._shared = self._search.database()
        with locked(self._lock):
            self._storage = open_storage(self._shared or f"sqlite:///{ledger.folder / STUDY_FILE}")
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=self._search.study or self._sweep,
                direction="maximize" if plan.mode == "max" else "minimize",
                load_if_exists=True,
            )
            if SPACE not in self._study.user_attrs:
                self._study.set_user_attr(AIM, plan.metric)
                self._study.set_user_attr(SPACE, _space(plan))
                self._study.set_user_attr(FIXED, dict(plan.fixed_values))

    def next_job(self) -> Job | None:
        """Write the file of a further job and return the job; None once there are enough."""
        with locked(self._lock):
            trials = self._study.get_trials(deepcopy=False)
            trial = self._trial_without_job(trials)
            if trial is None:
                if len(trials) >= self._search.n_trials:
                    return None
                self._study.sampler = _sampler(self._search, len(trials))
                trial = self._study.ask()
                trial.set_user_attr(OWNER, self._sweep)
            overrides = [f"{axis.key}={_suggest(trial, axis)}" for axis in self._plan.axes]
            job = self._plan.job(self._sweep, trial.number + 1, overrides, self._pruning())
            job.write(self._ledger.file(job.number, "json"))
            return job

    def tell(self, job: Job, state: State) -> None:
        """Tell the study how a job has ended; only the first time counts."""
        end = ENDS[state]
        value = self._ledger.result(job)[self._plan.metric] if state == "done" else None
        if value is not None and math.isnan(value):
            end, value = TrialState.FAIL, None
        self._study.tell(job.number - 1, value, end, skip_if_finished=True)

    def _trial_without_job(self, trials: list[FrozenTrial]) -> Trial | None:
        """Return a trial whose process was killed before it had written the job's file."""
        unmarked = None if self._shared else self._sweep  # killed before the attribute was set
        for trial in trials:
            is_ours = trial.user_attrs.get(OWNER, unmarked) == self._sweep
            has_job = self._ledger.file(trial.number + 1, "json").exists()
            if trial.state == TrialState.RUNNING and is_ours and not has_job:
                return open_trial(self._study, self._storage, trial.number)
        return None

    def _pruning(self) -> dict[str, Any] | None:
        if not self._search.prune:
            return None
        return {
            "study": self._study.study_name,
            "is_local": self._shared is None,
            "monitor": "val_" + self._plan.metric.partition("/")[2],
            "n_startup_trials": self._search.n_startup_trials,
            "n_warmup_epochs": self._search.n_warmup_epochs,
        }


def _sampler(search: Search, number: int) -> optuna.samplers.BaseSampler:
    """Return a sampler for one trial: a restart then neither repeats nor changes a draw."""
    seed = (search.seed * 1_000_003 + number) % 2**32
    if search.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _suggest(trial: Trial, axis: Axis) -> str:
    """Return the trial's value of a key, in Hydra's grammar."""
    values = _distribution(axis)
    if isinstance(values, CategoricalDistribution):
        return str(trial.suggest_categorical(axis.name, values.choices))
    assert isinstance(values, IntDistribution | FloatDistribution)
    log = values.log
    if isinstance(values, IntDistribution):
        whole = trial.suggest_int(axis.name, values.low, values.high, step=values.step, log=log)
        return repr(whole)
    drawn = trial.suggest_float(axis.name, values.low, values.high, step=values.step, log=log)
    if axis.step is None:
        return repr(drawn)
    return min(axis.values, key=lambda value: abs(float(value) - drawn))
