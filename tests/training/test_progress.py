import fcntl
import itertools
import os
import pty
import struct
import termios
from contextlib import suppress
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
    clock = iter([0.0, 0.0, 10.0, 10.0, 20.0])
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


class Counted(float):
    """A number that knows how often numbers of its kind were read."""

    read = 0

    def __float__(self):
        Counted.read += 1
        return super().__float__()


def train(progress, now, epochs=2, steps=4, step_s=1.0, valid_s=8.0):
    """What Keras calls in two epochs, whose first step takes 5 s longer than the others."""
    progress.set_params({"epochs": epochs})
    for epoch in range(epochs):
        progress.on_epoch_begin(epoch)
        for batch in range(steps):
            now[0] += step_s + 5.0 * (epoch == batch == 0)
            progress.on_train_batch_end(batch, {"loss": Counted(0.5), "iou": Counted(0.25)})
        progress.on_test_begin()
        now[0] += valid_s
        progress.on_test_batch_begin(7)
        progress.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.5})


@pytest.fixture
def now(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("reprise.training.progress.time.monotonic", lambda: now[0])
    return now


def test_a_log_has_a_line_at_times_and_no_number_is_read_between(now, capsys):
    Counted.read = 0
    train(Progress(4, lambda: None, "val_iou", batch_size=8), now, step_s=9.0, valid_s=21.0)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "  epoch 1/2, step 2/4",  # after 23 s
        "  epoch 1/2, step 4/4: validating, batch 8".partition(":")[0],
        "epoch 1/2  train loss 0.5000  |  valid loss 0.5000  |  62 s",
        "  epoch 2/2, step 3/4",
        "  epoch 2/2, step 4/4",
        "epoch 2/2  train loss 0.5000  |  valid loss 0.5000  |  57 s",
    ]
    first = "loss 0.5000 iou 0.2500  00:18 left, 00:54 to the end  0.889 samples/s"
    second = "loss 0.5000 iou 0.2500  00:30 left, 00:30 to the end  0.889 samples/s"
    assert lines[0].endswith(first)
    assert lines[3].endswith(second)  # validation as long as before is counted
    assert Counted.read == 4


def test_a_terminal_has_one_line_that_fits(now, capsys, monkeypatch):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        train(Progress(4, lambda: None, "val_iou"), now)
    shown = b""
    with os.fdopen(ours, "rb") as screen, suppress(OSError):  # at its end
        while piece := screen.read1():
            shown += piece
    lines = shown.decode().split("\r")
    assert not any("\n" in line for line in lines)
    assert all(len(line) <= 40 for line in lines)
    for said in ("starting", "loss 0.5000", "validating"):
        assert any(said in line for line in lines)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_run_that_goes_on_in_mid_epoch_counts_the_steps_before(now, capsys):
    progress = Progress(4, lambda: None, "val_iou", first_step=2)
    train(progress, now, epochs=1, steps=2, step_s=21.0)
    assert capsys.readouterr().out.startswith("  epoch 1/1, step 3/4: loss")


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
