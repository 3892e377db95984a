"""Keras callbacks that record metrics by epoch and by step."""

import time
from collections.abc import Callable

import keras

from reprise.tracking.run import Run


class EpochMetrics(keras.callbacks.Callback):
    """Record the metrics of every epoch; the epoch's number, from 1, is the step.

    Args:
        run: Where to write.
        waited: Returns the seconds that training has waited for data so far; None where it is not
            known.
    """

    def __init__(self, run: Run, waited: Callable[[], float | None]) -> None:
        super().__init__()
        self.run = run
        self.waited = waited

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clocks."""
        self._began, self._waited_before = time.monotonic(), self.waited()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the epoch's metrics, learning rate and times in seconds."""
        values = {_name(key): float(value) for key, value in (logs or {}).items()}
        rate = self.model.optimizer.learning_rate
        values["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
        values["time/epoch_s"] = time.monotonic() - self._began
        waited = self.waited()
        if waited is not None and self._waited_before is not None:
            values["time/data_wait_s"] = waited - self._waited_before
        self.run.metrics(values, step=epoch + 1)


class StepMetrics(keras.callbacks.Callback):
    """Record the training metrics within an epoch as `step/…`, by the number of the step, from 1.

    Their values are Keras's: means over the epoch so far.

    Args:
        run: Where to write.
        every: Steps between two of them.
    """

    def __init__(self, run: Run, every: int) -> None:
        super().__init__()
        self._run, self._every = run, every
        self._step = 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Continue the count of a resumed run."""
        self._step = int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Record every `every`-th step, without a flush to the disk, which takes longer."""
        self._step += 1
        if self._step % self._every == 0:
            values = {f"step/{name}": float(value) for name, value in (logs or {}).items()}
            self._run.metrics(values, self._step, flush=False)


def _name(key: str) -> str:
    """Keras's `val_iou` is the run's `valid/iou`, its `iou` is `train/iou`."""
    if key == "learning_rate":
        return key
    return f"valid/{key[4:]}" if key.startswith("val_") else f"train/{key}"
