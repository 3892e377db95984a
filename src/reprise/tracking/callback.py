"""Each epoch's numbers, written once under the names the run shows them by."""

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


def _name(key: str) -> str:
    """Keras's `val_iou` is the run's `valid/iou`, its `iou` is `train/iou`."""
    if key == "learning_rate":
        return key
    return f"valid/{key[4:]}" if key.startswith("val_") else f"train/{key}"
