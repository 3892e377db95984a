"""A training's numbers, written once under the names the run shows them by."""

import time
from collections.abc import Callable

import keras

from reprise.tracking.run import Run


class EpochMetrics(keras.callbacks.Callback):
    """Write the metrics of every epoch; the epoch's number, from 1, is MLflow's step.

    Args:
        run: Where to write.
        waited: Total seconds the training step has waited for data so far.
    """

    def __init__(self, run: Run, waited: Callable[[], float]) -> None:
        super().__init__()
        self.run = run
        self.waited = waited

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clocks."""
        self._began, self._waited_before = time.monotonic(), self.waited()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the epoch's numbers."""
        values = {_name(key): float(value) for key, value in (logs or {}).items()}
        rate = self.model.optimizer.learning_rate
        values["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
        values["time/epoch_s"] = time.monotonic() - self._began
        values["time/data_wait_s"] = self.waited() - self._waited_before
        self.run.metrics(values, step=epoch + 1)


class StepMetrics(keras.callbacks.Callback):
    """Write the training metrics within an epoch as `step/…`, by the number of the step, from 1.

    They are what Keras gives: means over the epoch so far.

    Args:
        run: Where to write.
        every: Steps between two of them.
    """

    def __init__(self, run: Run, every: int) -> None:
        super().__init__()
        self._run, self._every = run, every
        self._step = 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Count on from where the run is."""
        self._step = int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Write, if it is this step's turn; not flushed to the disk, which would take longer."""
        self._step += 1
        if self._step % self._every == 0:
            values = {f"step/{name}": float(value) for name, value in (logs or {}).items()}
            self._run.metrics(values, self._step, flush=False)


def _name(key: str) -> str:
    """Keras's `val_iou` is the run's `valid/iou`, its `iou` is `train/iou`."""
    if key == "learning_rate":
        return key
    return f"valid/{key[4:]}" if key.startswith("val_") else f"train/{key}"
