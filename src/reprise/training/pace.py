"""How long a training step takes once it has warmed up, and how much of that is waiting."""

import time
from collections.abc import Callable
from typing import Any

import keras

_WARM_UP = 3  # steps: the first builds the function, and the next may still find their memory


def pace(
    model: keras.Model, batches: Any, steps: int, waited: Callable[[], float]
) -> tuple[float, float]:
    """Train for some steps, and look at the clock.

    Args:
        model: Compiled; it learns.
        batches: Endless, of any kind that Keras takes.
        steps: How many to time, 1 or more.
        waited: Total seconds training has waited for data so far.

    Returns:
        Seconds of a step, and of these the seconds it waited.
    """
    clock = _Clock(waited)
    total = _WARM_UP + steps
    model.fit(batches, steps_per_epoch=total, callbacks=[clock], shuffle=False, verbose=0)
    (began, before), (ended, after) = clock.ticks[_WARM_UP - 1], clock.ticks[-1]
    return (ended - began) / steps, (after - before) / steps


class _Clock(keras.callbacks.Callback):
    def __init__(self, waited: Callable[[], float]) -> None:
        super().__init__()
        self.waited = waited
        self.ticks: list[tuple[float, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.ticks.append((time.perf_counter(), self.waited()))
