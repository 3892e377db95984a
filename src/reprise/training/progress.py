"""What a person sees while training runs: a bar within the epoch, a line after it."""

import time
from collections.abc import Callable

import keras
from tqdm import tqdm

SHOWN = 4  # metrics per line: a line of per-class scores is read by nobody


class Progress(keras.callbacks.Callback):
    """A progress bar on the terminal (none where there is no terminal) and a line per epoch.

    Args:
        steps_per_epoch: Length of the bar.
        waited: Total seconds the training step has waited for data so far.
    """

    def __init__(self, steps_per_epoch: int, waited: Callable[[], float]) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self.waited = waited
        self.bar: tqdm | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the bar."""
        self.title = f"epoch {epoch + 1}/{self.params['epochs']}"
        self.began, self.waited_before = time.monotonic(), self.waited()
        self.bar = tqdm(
            total=self.steps_per_epoch, desc=self.title, leave=False, disable=None, unit="step"
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Move the bar."""
        if self.bar is not None and not self.bar.disable:
            self.bar.set_postfix_str(_text(_first(logs or {})), refresh=False)
            self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the epoch's line in the bar's place."""
        self._close()
        logs = logs or {}
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        valid = {name[4:]: value for name, value in logs.items() if name.startswith("val_")}
        seconds = time.monotonic() - self.began
        parts = [f"train {_text(_first(train))}"]
        if valid:
            parts.append(f"valid {_text(_first(valid))}")
        waiting = self.waited() - self.waited_before
        print(f"{self.title}  {'  |  '.join(parts)}  |  {seconds:.0f} s, {waiting:.1f} s for data")

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leave no bar behind."""
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _first(logs: dict[str, float]) -> dict[str, float]:
    chosen = [name for name in logs if name != "learning_rate"][:SHOWN]
    return {name: logs[name] for name in chosen}


def _text(logs: dict[str, float]) -> str:
    return " ".join(f"{name} {float(value):.4f}" for name, value in logs.items())
