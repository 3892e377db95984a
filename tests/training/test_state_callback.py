"""A training that is left after any step goes on as if it had never stopped, bit for bit."""

import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from reprise.errors import Stopped, UserError
from reprise.training.checkpoint import weights_sha256
from reprise.training.fit import compile_model, fit
from reprise.training.optimizers import adam
from reprise.training.state import State, read_state
from reprise.training.state_callback import StateCallback
from reprise.training.trainer import Trainer

STEPS, EPOCHS = 4, 6
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 5)).astype("float32"), RNG.normal(size=(40, 1)).astype("float32")


class Pass(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[index::3], Y[index::3]


def batches(start):
    step = start
    while True:
        rows = np.random.default_rng(step).integers(0, 40, 8)
        yield X[rows], Y[rows]
        step += 1


def make_model(schedule="constant"):
    """Everything that has a memory: dropout, noise, batch statistics, momentum, a schedule."""
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((5,)),
        keras.layers.Dense(6, activation="relu"),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.GaussianNoise(0.1),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1),
    ]
    optimizer = adam(STEPS * EPOCHS, learning_rate=0.05, schedule=schedule)
    metrics = [keras.metrics.MeanAbsoluteError(name="mae")]
    model = keras.Sequential(layers)
    return compile_model(model, optimizer, keras.losses.MeanSquaredError(), metrics)


class Log(keras.callbacks.Callback):
    """Every epoch's numbers, with the counters of the callbacks before it."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def on_epoch_end(self, epoch, logs=None):
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.rows.append((epoch, dict(logs), rate))


class StopAfter(keras.callbacks.Callback):
    """Asks training to end after so many steps, or in the validation that follows an epoch."""

    def __init__(self, steps=None, in_validation_of=None):
        super().__init__()
        self._left, self._epoch, self._asked = steps, in_validation_of, None

    def on_train_batch_end(self, batch, logs=None):
        if self._left is not None:
            self._left -= 1
            self._asked = signal.SIGTERM if self._left == 0 else self._asked

    def on_epoch_begin(self, epoch, logs=None):
        self._now = epoch

    def on_test_batch_begin(self, batch, logs=None):
        if self._now == self._epoch and batch == 1:
            self._asked = signal.SIGTERM

    def asked(self):
        return self._asked


def train(folder: Path, trainer: Trainer, stop: StopAfter | None = None, schedule="constant"):
    """One process's share of a run: from the newest state to its end, or to where it is stopped."""
    model, log, stop = make_model(schedule), Log(), stop or StopAfter()
    resumed, passed = read_state(folder)
    assert passed == []
    failures = []
    saved = StateCallback(folder, resumed, stop.asked, failures.append)
    stopped = None
    try:
        fit(
            model, batches, Pass(workers=0), trainer,
            steps_per_epoch=STEPS, callbacks=[log, stop], state=saved,
        )  # fmt: skip
    except Stopped as error:
        stopped = error.signal
    assert stopped in (None, signal.SIGTERM)
    assert failures == []
    return stopped is None, log.rows, model


def all_of(folder, trainer, stops, schedule="constant"):
    """A run that is stopped in each of these ways in turn, and then goes to its end."""
    rows = []
    for stop in stops:
        ended, more, _ = train(folder, trainer, stop, schedule)
        assert not ended
        rows += more
    ended, more, model = train(folder, trainer, schedule=schedule)
    assert ended
    return rows + more, model


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    trainer = Trainer(epochs=EPOCHS)
    return all_of(tmp_path_factory.mktemp("whole"), trainer, [])


@pytest.mark.parametrize("steps", [1, STEPS, STEPS + 2])
def test_stopped_after_any_step_it_ends_the_same(steps, tmp_path, undisturbed):
    rows, model = all_of(tmp_path, Trainer(epochs=EPOCHS), [StopAfter(steps)])
    assert rows == undisturbed[0]
    assert weights_sha256(model) == weights_sha256(undisturbed[1])


def test_stopped_again_and_again_and_in_validation_it_ends_the_same(tmp_path, undisturbed):
    stops = [StopAfter(1), StopAfter(1), StopAfter(in_validation_of=0), StopAfter(6), StopAfter(4)]
    rows, model = all_of(tmp_path, Trainer(epochs=EPOCHS), stops)
    assert rows == undisturbed[0]
    assert weights_sha256(model) == weights_sha256(undisturbed[1])


@pytest.mark.parametrize(
    ("trainer", "schedule"),
    [
        (Trainer(epochs=EPOCHS, reduce_lr_patience=2, min_delta=0.4), "constant"),
        (Trainer(epochs=20, early_stopping_patience=2, min_delta=0.2), "constant"),
        (Trainer(epochs=EPOCHS), "cosine"),
    ],
    ids=["plateau", "early-stopping", "cosine"],
)
def test_patience_and_schedules_go_on(trainer, schedule, tmp_path):
    whole, model = all_of(tmp_path / "whole", trainer, [], schedule)
    assert len({rate for _, _, rate in whole}) > 1 or len(whole) < trainer.epochs
    stops = [StopAfter(5), StopAfter(in_validation_of=2)]
    rows, again = all_of(tmp_path / "parts", trainer, stops, schedule)
    assert rows == whole
    assert weights_sha256(again) == weights_sha256(model)


def test_a_finished_training_is_left_alone_and_can_be_extended(tmp_path):
    whole, model = all_of(tmp_path / "whole", Trainer(epochs=EPOCHS), [])
    first, _ = all_of(tmp_path / "parts", Trainer(epochs=2), [])
    nothing, _ = all_of(tmp_path / "parts", Trainer(epochs=2), [])
    more, again = all_of(tmp_path / "parts", Trainer(epochs=EPOCHS), [])
    assert (nothing, first + more) == ([], whole)
    assert weights_sha256(again) == weights_sha256(model)


def test_a_learning_rate_of_its_own_is_gone_on_with(tmp_path):
    train(tmp_path, Trainer(epochs=1))
    state, _ = read_state(tmp_path)
    model, log = make_model(), Log()
    fit(
        model, batches, Pass(workers=0), Trainer(epochs=2),
        steps_per_epoch=STEPS, callbacks=[log, StopAfter()],
        state=StateCallback(tmp_path, state, lambda: None, print, learning_rate=0.125),
    )  # fmt: skip
    assert [(epoch, rate) for epoch, _, rate in log.rows] == [(1, 0.125)]


def test_the_state_of_another_model_is_refused(tmp_path):
    train(tmp_path, Trainer(epochs=1))
    state, _ = read_state(tmp_path)
    arrays = dict(state.arrays)
    arrays["model.0000"] = np.zeros((5, 7), np.float32)
    saved = StateCallback(tmp_path, State(state.step, arrays, state.facts), lambda: None, print)
    with pytest.raises(UserError, match=r"(?s)number 0 .*\(5, 6\).*has shape \(5, 7\)"):
        fit(
            make_model(), batches, Pass(workers=0), Trainer(epochs=2),
            steps_per_epoch=STEPS, callbacks=[Log(), StopAfter()], state=saved,
        )  # fmt: skip


def test_a_state_that_cannot_be_written_ends_nothing(tmp_path):
    folder = tmp_path / "state"
    folder.write_text("a file stands where the folder should be")
    failures = []
    saved = StateCallback(folder, None, lambda: None, failures.append)
    model = make_model()
    fit(
        model, batches, Pass(workers=0), Trainer(epochs=2),
        steps_per_epoch=STEPS, callbacks=[], state=saved,
    )  # fmt: skip
    assert int(model.optimizer.iterations) == 2 * STEPS
    assert len(failures) == 3


def test_a_callback_may_come_or_go_between_two_attempts(tmp_path, undisturbed):
    train(tmp_path, Trainer(epochs=2))
    state, _ = read_state(tmp_path)
    assert "Log0" in state.facts["callbacks"]
    model = make_model()
    fit(
        model, batches, Pass(workers=0), Trainer(epochs=EPOCHS),
        steps_per_epoch=STEPS, callbacks=[StopAfter(), keras.callbacks.Callback(), Log(), Log()],
        state=StateCallback(tmp_path, state, lambda: None, print),
    )  # fmt: skip
    assert weights_sha256(model) == weights_sha256(undisturbed[1])
