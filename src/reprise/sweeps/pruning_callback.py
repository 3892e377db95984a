"""Ends a job of a search in mid-training, once others have done better by the same epoch."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import optuna
from optuna.trial import Trial

from reprise.errors import Pruned
from reprise.runs.job import PRUNED
from reprise.sweeps.storage import open_study


def open_trial(url: str, trial: Mapping[str, Any]) -> Trial | None:
    """The open trial of a job in the study's database at `url`; None once it is finished."""
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
    return None if opened.storage.get_trial(trial["trial"]).state.is_finished() else opened


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
