"""The progress of training on the terminal, and whether data or computation holds it up."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras.layers import BatchNormalization
from tqdm import tqdm

from reprise.project import typed

WORTH_SAYING = 0.1  # share of waiting: without it training would be 1.1 times as fast
_FAR_ABOVE = 5.0  # times the loss of training
_UNSETTLED = 0.05  # part of what averages began with
TERMINAL_S, LOG_S = 0.25, 20.0  # between two lines about the epoch under way
WARM_UP = 3  # steps: the first builds the function, and the next may still find their memory


class Progress(keras.callbacks.Callback):
    """Say how far training is: a line about the epoch under way, and one for each that is over.

    The first is rewritten in place on a terminal, and written anew every 20 s in a log. After the
    last epoch it says whether training was held up by data or by computation.

    Args:
        steps_per_epoch: Steps of an epoch.
        waited: Returns the seconds that training and validation have waited for data so far; None
            where it is not known.
        monitor: Keras's name of the metric that is shown beside the loss.
        faster: What would shorten the waiting.
        batch_size: Samples of a batch; None where it is not known.
        first_step: Steps that a resumed run has done before.
    """

    def __init__(
        self,
        steps_per_epoch: int,
        waited: Callable[[], float | None],
        monitor: str,
        faster: Sequence[str] = (),
        *,
        batch_size: int | None = None,
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self.faster = faster
        self._has_hinted = False
        self.steps_per_epoch, self.batch_size = steps_per_epoch, batch_size
        self.first_step = first_step
        self.waited = waited
        self.shown = dict.fromkeys(("loss", monitor.removeprefix("val_")))
        self.bar: tqdm | None = None
        self._seconds = self._waiting = 0.0  # of all epochs
        self._epoch_s: float | None = None  # of the last one that was whole
        self._valid_s = 0.0  # its validation
        self._due = time.monotonic() + LOG_S  # when the next line about the epoch under way is

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the line."""
        self._epochs_left = self.params["epochs"] - epoch - 1
        self._title = f"epoch {epoch + 1}/{self.params['epochs']}"
        self._began, self._waited_before = time.monotonic(), self.waited()
        self._first_ended = self._test_began = self._began
        self._done = max(0, self.first_step - epoch * self.steps_per_epoch)
        self.bar = tqdm(
            total=self.steps_per_epoch,
            initial=self._done,
            desc="starting",
            leave=False,
            disable=None,
            dynamic_ncols=True,
            bar_format=self._title + " {bar:10} {desc}",
        )
        if not self.bar.disable:
            self._due = self._began

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Rewrite the line, a few times a second at most."""
        now = time.monotonic()
        if batch == 0:
            self._first_ended = now
        if now >= self._due:
            self._show(now, self._under_way(now, batch, logs or {}), self._done + batch + 1)

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Say that validation is under way."""
        self._test_began = time.monotonic()
        if self.bar is not None and not self.bar.disable:
            self._show(self._test_began, "validating", self.steps_per_epoch)

    def on_test_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Say so again in a log, where it takes long."""
        if (now := time.monotonic()) >= self._due:
            self._show(now, f"validating, batch {batch + 1}", self.steps_per_epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the line of an epoch that is over."""
        self._close()
        train, valid = self._text(logs or {}), self._text(logs or {}, "val_")
        now = time.monotonic()
        seconds = now - self._began
        if not self._done:
            self._epoch_s, self._valid_s = seconds, now - self._test_began
        times, waited = f"{seconds:.0f} s", self.waited()
        if waited is not None and self._waited_before is not None:
            waiting = waited - self._waited_before
            self._seconds, self._waiting = self._seconds + seconds, self._waiting + waiting
            times += f", {waiting:.1f} s waiting for data"
        print(f"{self._title}  train {train}  |  valid {valid}  |  {times}", flush=True)
        self._due = now + LOG_S
        if not self._has_hinted and (hint := unsettled(self.model, logs or {})):
            self._has_hinted = True
            print(f"note: {hint}", flush=True)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Remove the line; at the end of training say what held it up."""
        self._close()
        if self._seconds and (not self._epochs_left or self.model.stop_training):
            print(verdict(self._waiting, self._seconds, self.faster), flush=True)

    def _under_way(self, now: float, batch: int, logs: Mapping[str, float]) -> str:
        """The metrics so far, the samples a second, and the time left, of this epoch and of all.

        The first step is not counted: it builds the function of the others.
        """
        if not batch:
            return self._text(logs)
        step_s = (now - self._first_ended) / batch
        left_s = step_s * (self.steps_per_epoch - self._done - batch - 1) + self._valid_s
        epoch_s = self._epoch_s or step_s * self.steps_per_epoch
        epoch, total = map(tqdm.format_interval, (left_s, left_s + self._epochs_left * epoch_s))
        speed = f"{(self.batch_size or 1) / max(step_s, 1e-9):.3g}"
        unit = "samples" if self.batch_size else "steps"
        return f"{self._text(logs)}  {epoch} left, {total} to the end  {speed} {unit}/s"

    def _show(self, now: float, text: str, step: int) -> None:
        if self.bar is not None and not self.bar.disable:
            self._due = now + TERMINAL_S
            self.bar.n = step
            self.bar.set_description_str(text)
        else:
            self._due = now + LOG_S
            print(f"  {self._title}, step {step}/{self.steps_per_epoch}: {text}", flush=True)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _text(self, logs: Mapping[str, float], prefix: str = "") -> str:
        found = {name: logs[prefix + name] for name in self.shown if prefix + name in logs}
        return " ".join(f"{name} {float(value):.4f}" for name, value in found.items())


def unsettled(model: keras.Model, logs: Mapping[str, float]) -> str:
    """Say that BatchNormalization explains a validation loss far above that of training, if it can.

    Its averages, which validation uses, begin as they were initialized or pretrained, and keep
    momentum ** steps of that.

    Args:
        model: The model.
        logs: `loss` and `val_loss` of an epoch, by Keras's names.
    """
    loss, valid = logs.get("loss"), logs.get("val_loss")
    if loss is None or valid is None or not valid > _FAR_ABOVE * abs(loss):
        return ""
    layers = [one for one in model._flatten_layers() if isinstance(one, BatchNormalization)]
    momentum = max((one.momentum for one in layers if one.trainable), default=0.0)
    steps = int(model.optimizer.iterations)
    if not momentum or momentum**steps < _UNSETTLED:
        return ""
    settled = math.ceil(math.log(_UNSETTLED) / math.log(momentum))
    return (
        f"valid loss is {valid / max(abs(loss), 1e-9):.3g} times train loss: after {steps} steps "
        "the averages of BatchNormalization, which validation alone uses, are still "
        f"{momentum**steps:.0%} what they began with; they have settled after some {settled} steps"
    )


def verdict(waited_s: float, seconds: float, faster: Sequence[str] = ()) -> str:
    """Say what holds training up, and what would change it.

    Args:
        waited_s: Seconds in which the step waited for data.
        seconds: All of them, more than 0.
        faster: What would shorten the waiting for this dataset.
    """
    share = min(waited_s / seconds, 0.99)
    waiting = f"{share:.0%} of the time was spent waiting for data"
    if share < WORTH_SAYING:
        return f"compute-bound: {waiting}; more workers would change little"
    change = f"what to change: {'; or '.join(faster)}\n" if faster else ""
    return (
        f"data-bound: {waiting}; without it training would be {1 / (1 - share):.1f} times as fast\n"
        f"{change}where the time goes: {typed('profile')} exp=NAME"
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
