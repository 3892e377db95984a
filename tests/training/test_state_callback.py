"""A training that is left after any step goes on as if it had never stopped, bit for bit."""

import signal

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


def train(folder, trainer, stop=None, *, schedule="constant", others=(), failed=pytest.fail, **how):
    """One process's share of a run: from the newest state to its end, or to where it is stopped.

    Returns:
        Whether it came to its end, what was logged, and the model.
    """
    model, log, stop = make_model(schedule), Log(), stop or StopAfter()
    how = {"resumed": read_state(folder)[0], **how}
    state = StateCallback(folder, stop=stop.asked, failed=failed, **how)
    data = (model, batches, Pass(workers=0), trainer)
    try:
        fit(*data, steps_per_epoch=STEPS, callbacks=[log, stop, *others], state=state)
    except Stopped as stopped:
        return stopped.signal != signal.SIGTERM, log.rows, model
    return True, log.rows, model


def all_of(folder, trainer, stops, schedule="constant"):
    """A run that is stopped in each of these ways in turn, and then goes to its end."""
    rows = []
    for stop in [*stops, None]:
        ended, more, model = train(folder, trainer, stop, schedule=schedule)
        assert ended == (stop is None)
        rows += more
    return rows, weights_sha256(model)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return all_of(tmp_path_factory.mktemp("whole"), Trainer(epochs=EPOCHS), [])


@pytest.mark.parametrize(
    "stops",
    [
        [{"steps": 1}],
        [{"steps": STEPS}],
        [{"steps": STEPS + 2}],
        [{"steps": 1}, {"steps": 1}, {"in_validation_of": 0}, {"steps": 6}, {"steps": 4}],
    ],
    ids=["step 1", "epoch's end", "mid-epoch", "again and again and in validation"],
)
def test_wherever_it_is_stopped_it_ends_the_same(stops, tmp_path, undisturbed):
    stopped = all_of(tmp_path, Trainer(epochs=EPOCHS), [StopAfter(**stop) for stop in stops])
    assert stopped == undisturbed


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
    whole = all_of(tmp_path / "whole", trainer, [], schedule)
    assert len({rate for _, _, rate in whole[0]}) > 1 or len(whole[0]) < trainer.epochs
    stops = [StopAfter(5), StopAfter(in_validation_of=2)]
    assert all_of(tmp_path / "parts", trainer, stops, schedule) == whole


def test_a_finished_training_is_left_alone_and_can_be_extended(tmp_path, undisturbed):
    first, _ = all_of(tmp_path, Trainer(epochs=2), [])
    assert all_of(tmp_path, Trainer(epochs=2), [])[0] == []
    more, weights = all_of(tmp_path, Trainer(epochs=EPOCHS), [])
    assert (first + more, weights) == undisturbed


def test_a_learning_rate_of_its_own_is_gone_on_with(tmp_path):
    train(tmp_path, Trainer(epochs=1))
    _, rows, _ = train(tmp_path, Trainer(epochs=2), learning_rate=0.125)
    assert [(epoch, rate) for epoch, _, rate in rows] == [(1, 0.125)]


def test_the_state_of_another_model_is_refused(tmp_path):
    train(tmp_path, Trainer(epochs=1))
    state, _ = read_state(tmp_path)
    other = State(state.step, {**state.arrays, "model.0000": np.zeros((5, 7))}, state.facts)
    with pytest.raises(UserError, match=r"(?s)number 0 .*\(5, 6\).*has shape \(5, 7\)"):
        train(tmp_path, Trainer(epochs=2), resumed=other)


def test_a_state_that_cannot_be_written_ends_nothing(tmp_path):
    folder, failures = tmp_path / "state", []
    folder.write_text("a file stands where the folder should be")
    ended, _, model = train(folder, Trainer(epochs=2), failed=failures.append)
    assert ended
    assert int(model.optimizer.iterations) == 2 * STEPS
    assert len(failures) == 3


def test_a_callback_may_come_or_go_between_two_attempts(tmp_path, undisturbed):
    train(tmp_path, Trainer(epochs=2))
    assert "Log0" in read_state(tmp_path)[0].facts["callbacks"]
    _, _, model = train(
        tmp_path, Trainer(epochs=EPOCHS), others=[keras.callbacks.Callback(), Log(), Log()]
    )
    assert weights_sha256(model) == undisturbed[1]
