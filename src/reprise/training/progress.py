"""The progress of training on the terminal, and whether data or computation holds it up."""

import time
from collections.abc import Callable
from typing import Any

import keras
from tqdm import tqdm

WORTH_SAYING = 0.1  # share of waiting: without it training would be 1.1 times as fast
WARM_UP = 3  # steps: the first builds the function, and the next may still find their memory


class Progress(keras.callbacks.Callback):
    """A progress bar (where there is a terminal) and a line per epoch.

    After the last epoch it says whether training was held up by data or by computation.

    Args:
        steps_per_epoch: Length of the bar.
        waited: Returns the seconds that training and validation have waited for data so far; None
            where it is not known.
        monitor: Keras's name of the metric that is shown beside the loss.
    """

    def __init__(
        self, steps_per_epoch: int, waited: Callable[[], float | None], monitor: str
    ) -> None:
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
        times, waited = f"{seconds:.0f} s", self.waited()
        if waited is not None and self._waited_before is not None:
            waiting = waited - self._waited_before
            self._seconds, self._waiting = self._seconds + seconds, self._waiting + waiting
            times += f", {waiting:.1f} s waiting for data"
        print(f"{self._title}  train {train}  |  valid {valid}  |  {times}", flush=True)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Remove the bar; at the end of training say what held it up."""
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


def verdict(waited_s: float, seconds: float) -> str:
    """Say what holds training up, and what would change it.

    Args:
        waited_s: Seconds in which the step waited for data.
        seconds: All of them, more than 0.
    """
    share = min(waited_s / seconds, 0.99)
    waiting = f"{share:.0%} of the time was spent waiting for data"
    if share < WORTH_SAYING:
        return f"compute-bound: {waiting}; more workers would change little"
    return (
        f"data-bound: {waiting}; without it training would be {1 / (1 - share):.1f} times as fast\n"
        "what to change: loader.workers (as many as there are cores), or loader.cache, which keeps "
        "decoded samples;\nwhere the time goes: make profile exp=NAME"
    )


def pace(
    model: keras.Model, batches: Any, steps: int, waited: Callable[[], float]
) -> tuple[float, float]:
    """Train for some steps and time them, the first few left out.

    Args:
        model: Compiled; it learns.
        batches: Endless, of any kind that Keras takes.
        steps: How many to time, 1 or more.
        waited: Returns the seconds that training has waited for data so far.

    Returns:
        Seconds of a step, and of these the seconds it waited.
    """
    ticks: list[tuple[float, float]] = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ticks.append((time.perf_counter(), waited()))
    )
    total = WARM_UP + steps
    model.fit(batches, steps_per_epoch=total, callbacks=[clock], shuffle=False, verbose=0)
    (began, before), (ended, after) = ticks[WARM_UP - 1], ticks[-1]
    return (ended - began) / steps, (after - before) / steps
