"""Measure where the time of training goes, on an experiment's own data and model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any

from reprise.config.compose import Composed
from reprise.datasets.base import Sample
from reprise.errors import UserError
from reprise.loading.loader import Loader
from reprise.loading.stages import STAGES, Stopwatch
from reprise.loading.worker import limit_to_one_thread
from reprise.runs.experiment import Data, compiled, new_model, open_data, set_up_device
from reprise.runs.external import External
from reprise.runs.first_look import faster
from reprise.runs.score import markdown_table

if TYPE_CHECKING:
    import keras

STEPS = 24
WARM_UP = 3  # batches: imports, connections, and memory that is touched for the first time


def profile(composed: Composed) -> None:
    """Print the time of each stage, alone and together, and whether data limits training."""
    data = open_data(composed.values)
    if isinstance(data.dataset, External):
        raise UserError(
            "Keras makes these batches itself, and tells nothing of its stages",
            expected="a dataset of reprise's kind",
            received=f"dataset._target_={composed.values['dataset']['_target_']}",
            remedy="make preview draws its samples, make train trains on it",
        )
    set_up_device(composed.values)
    from reprise.loading.feed import as_tf_dataset
    from reprise.training.progress import pace, verdict

    data.learn()
    model = compiled(composed.values, data.dataset, new_model(composed.values, data.dataset), STEPS)

    making_s = stages_of(data)
    with data.loader("train") as loader:
        assert isinstance(loader, Loader)
        batch, delivered_s, handling_s = delivery_of(loader)
        hand_over_s, step_s = step_of(model, loader, batch)
        together_s, waited_s = pace(model, as_tf_dataset(loader), STEPS, lambda: loader.waited_s)
        workers = ", ".join(sorted(loader.producers))
    print(f"{composed.experiment}: {STEPS} steps of {len(batch[0])} samples\n")
    print(table(making_s, handling_s + hand_over_s, step_s))
    print(f"\nmade by {workers}: a batch every {1e3 * delivered_s:.2f} ms if nobody else works")
    print(f"in fit, all of it together: a step every {1e3 * together_s:.2f} ms")
    print(verdict(waited_s, together_s, faster(data)))


def stages_of(data: Data) -> dict[str, float]:
    """Seconds of a batch in each stage of its making, by one worker alone.

    Timing the stages costs time. Their shares are measured on batches of their own, and scaled to
    the time of batches without a stopwatch.
    """
    limit_to_one_thread()
    stopwatch = Stopwatch(data.dataset.package)
    with data.loader("train", workers=0) as loader:
        batches = loader.batches()
        _take(batches, WARM_UP)
        seconds = _take(batches, STEPS) / STEPS
        with stopwatch.running():
            _take(batches, STEPS)
    looked_at = sum(stopwatch.seconds.values())
    return {stage: seconds * stopwatch.seconds[stage] / looked_at for stage in STAGES}


def delivery_of(loader: Loader) -> tuple[Sample, float, float]:
    """A batch; seconds from one to the next; and what each costs the process that trains.

    The last is 0 where that process makes the batches itself.
    """
    batches = loader.batches()
    _take(batches, WARM_UP + STEPS)  # more than can wait in the queue
    began = time.thread_time()
    seconds = _take(batches, STEPS) / STEPS
    handling_s = (time.thread_time() - began) / STEPS
    is_own = loader.producers == {"this process"}
    return next(batches), seconds, 0.0 if is_own else handling_s


def step_of(model: keras.Model, loader: Loader, batch: Sample) -> tuple[float, float]:
    """Seconds to hand a batch to the backend, and of a training step without that."""
    from reprise.loading.feed import as_tf_dataset
    from reprise.training.progress import pace

    same: Any = _Same(loader, batch)
    handed = iter(as_tf_dataset(same))
    _take(handed, WARM_UP)
    hand_over_s = _take(handed, STEPS) / STEPS
    seconds, _ = pace(model, as_tf_dataset(same), STEPS, lambda: 0.0)
    return hand_over_s, max(0.0, seconds - hand_over_s)


def table(making_s: dict[str, float], transport_s: float, step_s: float) -> str:
    """Milliseconds of a batch in each stage, and the stage's part of making it."""
    total = sum(making_s.values())
    parts = {stage: f"{s / total:.0%}" for stage, s in (making_s | {"making": total}).items()}
    seconds = {**making_s, "making": total, "transport": transport_s, "step": step_s}
    rows = [[stage, f"{1e3 * s:.2f}", parts.get(stage, "")] for stage, s in seconds.items()]
    return markdown_table([["stage", "ms a batch", "of making"], *rows], first_number=1)


class _Same:
    """Repeats one batch; stands in for a loader."""

    def __init__(self, loader: Loader, batch: Sample) -> None:
        self.dataset, self._batch = loader.dataset, batch

    def batches(self, start: int, stop: int | None) -> Iterator[Sample]:
        return repeat(self._batch)


def _take(batches: Iterator[Any], count: int) -> float:
    """Seconds that the next `count` batches take."""
    began = time.perf_counter()
    for _ in islice(batches, count):
        pass
    return time.perf_counter() - began
