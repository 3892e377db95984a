import itertools
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from reprise.loading.feed import as_tf_dataset
from reprise.spec import Spec
from reprise.training.progress import Progress, pace, unsettled, verdict

SPECS = SimpleNamespace(input_spec=Spec((3,), "float32"), target_spec=Spec((1,), "float32"))


def test_a_line_per_epoch_without_the_per_class_scores(capsys):
    waits = iter([1.0, 3.5])
    progress = Progress(2, lambda: next(waits), "val_iou")
    progress.set_params({"epochs": 7})
    progress.on_epoch_begin(2)
    many = {f"iou_class_{i}": 0.1 for i in range(20)}
    logs = {"loss": 0.5, "iou": 0.25, **many}
    progress.on_epoch_end(2, logs | {f"val_{k}": v for k, v in logs.items()})
    line = capsys.readouterr().out
    for part in ("epoch 3/7", "train loss 0.5000 iou 0.2500", "valid loss 0.5000 iou 0.2500"):
        assert part in line
    assert "2.5 s waiting for data" in line
    assert "iou_class_9" not in line


@pytest.mark.parametrize(
    ("epochs", "stopped", "told"),
    [(2, False, True), (3, False, False), (3, True, True)],
    ids=["last epoch", "to be gone on with", "stopped early"],
)
def test_the_last_word_says_what_held_training_up(epochs, stopped, told, capsys, monkeypatch):
    """Two epochs of 10 s, with 4 s and 1 s of waiting; a resumed run's fit may end in its midst."""
    clock = iter([0.0, 10.0, 10.0, 20.0])
    monkeypatch.setattr("reprise.training.progress.time.monotonic", lambda: next(clock))
    waits = iter([0.0, 4.0, 4.0, 5.0])
    progress = Progress(2, lambda: next(waits), "val_iou")
    progress.set_model(SimpleNamespace(stop_training=stopped))
    progress.set_params({"epochs": epochs})
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        progress.on_epoch_end(epoch, {"loss": 0.5})
    progress.on_train_end()
    out = capsys.readouterr().out
    assert out.count("10 s, ") == 2
    assert ("data-bound: 25% of the time" in out) == told
    assert "compute-bound" not in out


@pytest.mark.parametrize(
    ("waited_s", "seconds", "said"),
    [
        (0.0, 5.0, "compute-bound: 0% of the time"),
        (0.99, 10.0, "compute-bound: 10% of the time"),
        (1.0, 10.0, "data-bound: 10% of the time was spent waiting for data; without it training "
         "would be 1.1 times as fast"),
        (3.0, 4.0, "data-bound: 75% of the time was spent waiting for data; without it training "
         "would be 4.0 times as fast"),
        (5.0, 4.9, "data-bound: 99%"),  # two clocks never agree to the end
    ],
)  # fmt: skip
def test_a_tenth_of_the_time_is_worth_saying_and_then_what_to_change(waited_s, seconds, said):
    told = verdict(waited_s, seconds, ["loader.workers=2", "loader.cache=cache"])
    assert told.startswith(said)
    remedies = ("loader.workers=2; or loader.cache=cache", "make profile exp=")
    assert all((remedy in told) == said.startswith("data-bound") for remedy in remedies)


def test_steps_are_timed_after_the_first_three(monkeypatch):
    """The clock and the waiting stand still but for what each batch adds to them."""
    now = waited = 0.0
    monkeypatch.setattr("reprise.training.progress.time.perf_counter", lambda: now)

    def batches(start, stop):
        nonlocal now, waited
        for step in itertools.count():
            now += 100.0 if step < 3 else 2.0
            waited += 50.0 if step < 3 else 0.5
            yield np.ones((2, 3), "float32"), np.ones((2, 1), "float32")

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    feed = as_tf_dataset(SimpleNamespace(dataset=SPECS, batches=batches))
    assert pace(model, feed, 5, lambda: waited) == (2.0, 0.5)
    assert int(model.optimizer.iterations) == 8


@pytest.mark.parametrize(
    ("steps", "valid", "said"), [(20, 164.0, True), (20, 0.8, False), (500, 164.0, False)]
)
def test_averages_that_have_not_settled_explain_a_valid_loss_far_above(steps, valid, said):
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization()])
    model.compile("sgd", "mse")
    model.optimizer.iterations.assign(steps)
    hint = unsettled(model, {"loss": 0.7, "val_loss": valid})
    assert ("after 20 steps" in hint and "82%" in hint) == said
    assert bool(hint) == said


def test_a_model_without_such_averages_is_not_explained_by_them():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert unsettled(model, {"loss": 0.7, "val_loss": 164.0}) == ""
