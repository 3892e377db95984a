"""One job of a sweep, in its own process: trained or resumed, and ended early if it lags behind."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.errors import Pruned, UserError
from reprise.runs.experiment import compose_and_check, open_data
from reprise.runs.folder import IDENTITY, JOB, PRUNED, RESULT, TRACEBACK
from reprise.runs.job import read_job
from reprise.runs.resume import resume
from reprise.runs.train import train
from reprise.sweeps.ledger import Ledger
from reprise.sweeps.plan import Compositions
from reprise.sweeps.settings import STORAGE, STUDY_FILE, SWEEP
from reprise.tracking.folders import folder_named, home

if TYPE_CHECKING:
    import keras

    from reprise.tracking.run import Run


def run_job(file: Path, words: list[str]) -> None:
    """Train the run of a job, or what is left of it.

    Args:
        file: The job's file, `runs/<experiment>/<sweep>/jobs/<number>.json`.
        words: The command line of its run.

    Raises:
        UserError: the files in conf/ have changed since the sweep began.
    """
    job, file = read_job(file), file.resolve()
    sweep = file.parents[1]
    runs = home(sweep)
    folder = Ledger(sweep).run_folder(job) or sweep / "none"
    if (folder / RESULT).exists():
        return
    (folder / TRACEBACK).unlink(missing_ok=True)  # of an earlier attempt
    try:
        if (folder / IDENTITY).exists():
            secrets = [word for word in words if redact(word) != word]  # recorded without
            resume(job.run, runs, secrets, callbacks=pruning_callbacks)
        else:
            composed = compose_and_check(words)
            _refuse_changes(sweep / SWEEP, composed)
            train(composed, open_data(composed.values), job=job, callbacks=pruning_callbacks)
    except Pruned as pruned:
        print(f"\nrun {job.run} was {pruned}: others have done better by then")


def _refuse_changes(sweep: Path, composed: Composed) -> None:
    began = Compositions.from_json(json.loads(sweep.read_text())["compositions"])
    if changes := began.changes_in_common(composed):
        raise UserError(
            "the job would be trained with another configuration than the sweep's other jobs",
            expected="what the sweep began with",
            received="\n".join(changes),
            remedy="bring it back and have the job tried again, or begin a new sweep",
        )


def pruning_callbacks(run: Run) -> list[keras.callbacks.Callback]:
    """Return the callback that prunes a run, if it is a job of a search whose trial is open.

    After every epoch the callback reports the metric to the study, and raises `Pruned` if the
    median of the other jobs was better at this epoch.
    """
    path = run.folder / JOB
    job = read_job(path) if path.exists() else None
    if job is None or job.trial is None:
        return []
    own = folder_named(job.sweep, home(run.folder), STUDY_FILE) if job.trial["is_local"] else None
    url = f"sqlite:///{own / STUDY_FILE}" if own else os.environ.get(STORAGE)
    if url is None:
        print(f"note: {STORAGE} names no database; the job is not pruned", file=sys.stderr)
        return []
    import optuna
    from keras.callbacks import LambdaCallback

    from reprise.sweeps.study import open_storage, open_trial

    storage, monitor = open_storage(url), job.trial["monitor"]
    study = optuna.load_study(
        study_name=job.trial["study"],
        storage=storage,
        pruner=optuna.pruners.MedianPruner(
            job.trial["n_startup_trials"],
            n_warmup_steps=job.trial["n_warmup_epochs"] + 1,  # Optuna's first step is 0, ours is 1
        ),
    )
    trial = open_trial(study, storage, job.number - 1)
    if study.get_trials(deepcopy=False)[trial.number].state.is_finished():
        return []

    def report(epoch: int, logs: dict[str, float]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an epoch trained again after a kill was reported
            trial.report(float(logs[monitor]), epoch + 1)
        if trial.should_prune():
            pruned = Pruned(epoch + 1)
            run.tags({"sweep.pruned": pruned})
            run.text(PRUNED, f"{pruned}\n")
            raise pruned

    return [LambdaCallback(on_epoch_end=report)]
