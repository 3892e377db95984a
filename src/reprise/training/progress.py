"""What a person sees while training runs: a bar within the epoch, a line after it, a last word."""

import time
from collections.abc import Callable

import keras
from tqdm import tqdm

from reprise.training.bound import verdict


class Progress(keras.callbacks.Callback):
    """A progress bar on the terminal (none where there is no terminal) and a line per epoch.

    After the last one it says whether training was held up by data or by computation.

    Args:
        steps_per_epoch: Length of the bar.
        waited: Total seconds that training and validation have waited for data so far.
        monitor: Keras's name of the metric that is shown beside the loss.
    """

    def __init__(self, steps_per_epoch: int, waited: Callable[[], float], monitor: str) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self.waited = waited
        self.shown = dict.fromkeys(("loss", monitor.removeprefix("val_")))
        self.bar: tqdm | None = None
        self._seconds = self._waiting = 0.0  # of all epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the bar."""
        self._is_last = epoch + 1 == self.params["epochs"]
        self._title = f"epoch {epoch + 1}/{self.params['epochs']}"
        self._began, self._waited_before = time.monotonic(), self.waited()
        self.bar = tqdm(
            total=self.steps_per_epoch, desc=self._title, leave=False, disable=None, unit="step"
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Move the bar."""
        if self.bar is not None and not self.bar.disable:
            self.bar.set_postfix_str(self._text(logs or {}), refresh=False)
            self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the epoch's line in the bar's place."""
        self._close()
        train, valid = self._text(logs or {}), self._text(logs or {}, "val_")
        seconds = time.monotonic() - self._began
        waiting = self.waited() - self._waited_before
        self._seconds, self._waiting = self._seconds + seconds, self._waiting + waiting
        times = f"{seconds:.0f} s, {waiting:.1f} s of them for data"
        print(f"{self._title}  train {train}  |  valid {valid}  |  {times}", flush=True)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leave no bar behind; say what held training up, if this was its end."""
        self._close()
        if self._seconds and (self._is_last or self.model.stop_training):
            print(verdict(self._waiting, self._seconds), flush=True)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _text(self, logs: dict[str, float], prefix: str = "") -> str:
        found = {name: logs[prefix + name] for name in self.shown if prefix + name in logs}
        return " ".join(f"{name} {float(value):.4f}" for name, value in found.items())
