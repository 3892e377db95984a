import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from reprise.loading.feed import as_tf_dataset
from reprise.spec import Spec
from reprise.training.pace import pace

SPECS = SimpleNamespace(input_spec=Spec((3,), "float32"), target_spec=Spec((1,), "float32"))


def test_steps_are_timed_after_the_first_three(monkeypatch: Any) -> None:
    """The clock and the waiting stand still but for what each batch adds to them."""
    now = waited = 0.0
    monkeypatch.setattr("reprise.training.pace.time.perf_counter", lambda: now)

    def batches(start: int, stop: int | None) -> Iterator[Any]:
        nonlocal now, waited
        for step in itertools.count():
            now += 100.0 if step < 3 else 2.0
            waited += 50.0 if step < 3 else 0.5
            yield np.ones((2, 3), "float32"), np.ones((2, 1), "float32")

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    feed = as_tf_dataset(SimpleNamespace(dataset=SPECS, batches=batches))  # type: ignore[arg-type]
    assert pace(model, feed, 5, lambda: waited) == (2.0, 0.5)
    assert int(model.optimizer.iterations) == 8
