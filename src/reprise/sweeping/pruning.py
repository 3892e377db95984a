"""Ends a job of a search in mid-training, once others have done better by the same epoch."""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import optuna
from optuna.trial import Trial

from reprise.errors import Pruned
from reprise.sweeping.job import JOB, PRUNED
from reprise.sweeping.settings import STORAGE
from reprise.sweeping.storage import FILE, open_study


def pruning_of(run: Any) -> list[keras.callbacks.Callback]:
    """What ends a run early, where it is a job of a search whose trial is open; else nothing."""
    path: Path = run.folder / JOB
    job = json.loads(path.read_text()) if path.exists() else {"trial": None}
    trial = job["trial"]
    if trial is None:
        return []
    own = next(run.folder.parents[1].glob(f"*/{job['sweep']}/{FILE}"), None)
    url = f"sqlite:///{own}" if trial["is_local"] and own else os.environ.get(STORAGE)
    if url is None:
        print(f"note: {STORAGE} names no database; the job is not pruned", file=sys.stderr)
        return []
    startup, first = trial["n_startup_trials"], trial["n_warmup_epochs"] + 1  # the first is 1
    study = open_study(
        url,
        lambda storage: optuna.load_study(
            study_name=trial["study"],
            storage=storage,
            sampler=optuna.samplers.RandomSampler(),
            pruner=optuna.pruners.MedianPruner(startup, n_warmup_steps=first),
        ),
    )
    opened = Trial(study, trial["trial"])
    is_open = not opened.storage.get_trial(trial["trial"]).state.is_finished()
    return [Pruning(run, opened, trial["monitor"])] if is_open else []


class Pruning(keras.callbacks.Callback):
    """Reports a metric to the study after every epoch, and ends the run where it lags behind.

    Args:
        run: The record.
        trial: The job's trial.
        monitor: Keras's name of the metric.
    """

    def __init__(self, run: Any, trial: Trial, monitor: str) -> None:
        super().__init__()
        self._run, self._trial, self._monitor = run, trial, monitor

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report, and ask.

        Raises:
            Pruned: the median of the others was better at this epoch.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an epoch done once more after a kill was reported
            self._trial.report(float((logs or {})[self._monitor]), epoch + 1)
        if self._trial.should_prune():
            ended = Pruned(epoch + 1)
            self._run.tags({"sweep.pruned": ended})
            self._run.text(PRUNED, f"{ended}\n")
            raise ended
