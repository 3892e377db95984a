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
from reprise.training.state_callback import StateCallback, counters
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
    if schedule == "ema":
        optimizer = keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8)
    else:
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


class Scripted(keras.callbacks.Callback):
    """Gives every epoch a `val_script`, in steps that float32 tells apart, and its opposite."""

    def __init__(self, values):
        super().__init__()
        self._values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_script"] = self._values[epoch]
        logs["val_opposite"] = -self._values[epoch]


class Countdown(keras.callbacks.Callback):
    """A callback as users write them: a counter of an epoch, and one that a setting begins."""

    def __init__(self, left):
        super().__init__()
        self.left, self.in_epoch, self.total = left, 0, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.in_epoch = 0
        self.left -= 1

    def on_train_batch_end(self, batch, logs=None):
        self.in_epoch += 1
        self.total += 1

    def on_epoch_end(self, epoch, logs=None):
        logs["val_count"] = self.in_epoch + 10 * self.left + 100 * self.total


class Diary(keras.callbacks.Callback):
    """What else users keep: lists, a dict of them, and an array that is added to."""

    def __init__(self):
        super().__init__()
        self.losses, self.by_epoch = [], {}
        self.total = np.zeros(2)

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])
        self.total += [1, logs["loss"]]

    def on_epoch_end(self, epoch, logs=None):
        self.by_epoch[str(epoch)] = self.total.tolist()
        logs["val_diary"] = sum(self.losses) + sum(map(sum, self.by_epoch.values()))


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


def test_wherever_it_is_stopped_it_ends_the_same(tmp_path, undisturbed):
    """After a step, at an epoch's end, in a validation, in mid-epoch, and after one step more."""
    stops = [StopAfter(1), StopAfter(STEPS - 1), StopAfter(in_validation_of=1)]
    stops += [StopAfter(2), StopAfter(1)]
    assert all_of(tmp_path, Trainer(epochs=EPOCHS), stops) == undisturbed


SLOW = pytest.mark.slow  # the same callbacks are tried below, as Keras makes them


@pytest.mark.parametrize(
    ("trainer", "schedule"),
    [
        pytest.param(
            Trainer(epochs=EPOCHS, reduce_lr_patience=2, min_delta=0.4), "constant", marks=SLOW
        ),
        pytest.param(
            Trainer(epochs=20, early_stopping_patience=2, min_delta=0.2), "constant", marks=SLOW
        ),
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


SLOWLY = [1.0, 0.75, 0.625, 0.5625, 0.5, 0.4375, 0.4375, 0.375]  # 0.125 is the smallest change
WATCH = {"monitor": "val_script", "min_delta": 0.2, "mode": "min", "verbose": 1}
KERAS = keras.callbacks
CALLBACKS = {
    "patience": lambda out: [
        KERAS.EarlyStopping(
            **WATCH, patience=3, baseline=0.9, restore_best_weights=True, start_from_epoch=1
        ),
        KERAS.ReduceLROnPlateau(**WATCH, factor=0.3, patience=1, cooldown=2, min_lr=0.004),
    ],
    "early stopping, max": lambda out: [
        KERAS.EarlyStopping(
            **WATCH | {"monitor": "val_opposite", "mode": "max"}, patience=4,
            restore_best_weights=True,
        )
    ],
    "checkpoint": lambda out: [
        KERAS.ModelCheckpoint(
            str(out / "{epoch}.keras"), "val_script", 1, True, False, "min",
            initial_value_threshold=0.7,
        )
    ],
    "checkpoint by steps": lambda out: [
        KERAS.ModelCheckpoint(
            str(out / "{epoch}-{loss:.9f}.weights.h5"), save_weights_only=True, save_freq=3
        )
    ],
    "rate by epoch": lambda out: [KERAS.LearningRateScheduler(lambda epoch, rate: rate * 0.8, 1)],
    "log": lambda out: [KERAS.CSVLogger(str(out / "log.csv"), separator=";")],
    "averages": lambda out: [KERAS.SwapEMAWeights(swap_on_epoch=True)],
    "a user's": lambda out: [Countdown(9), Diary()],
}  # fmt: skip
QUICK = {"patience", "a user's"}


def with_callbacks(name, out, stops):
    out.mkdir()
    rows = []
    for stop in [*stops, None]:
        watching = CALLBACKS[name](out)
        trainer = Trainer(epochs=8, callbacks=[Scripted(SLOWLY), *watching])
        schedule = "ema" if name == "averages" else "constant"
        ended, more, model = train(out / "state", trainer, stop, schedule=schedule)
        assert ended == (stop is None)
        rows += more
    files = {path.name for path in out.iterdir() if path.suffix in (".keras", ".h5", ".csv")}
    log = (out / "log.csv").read_text() if "log.csv" in files else ""
    places = {"filepath", "filename", "append", "append_header"}
    counted = [
        {key: value for key, value in counters(one).items() if key not in places}
        for one in watching
    ]
    return rows, weights_sha256(model), counted, files, log


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else SLOW) for name in CALLBACKS]
)
def test_every_callback_goes_on_with_every_setting_away_from_its_default(name, tmp_path):
    stops = [StopAfter(STEPS + 2), StopAfter(in_validation_of=3)]
    whole = with_callbacks(name, tmp_path / "whole", [])
    assert with_callbacks(name, tmp_path / "parts", stops) == whole


def test_a_smallest_change_keeps_its_sign_over_a_resume(tmp_path):
    """Each epoch is better by less than 0.2, so that none after the first counts."""
    for epochs in (2, 4, 5):
        watching = [
            kind(name, patience=9, mode=mode, min_delta=0.2)
            for kind in (KERAS.EarlyStopping, KERAS.ReduceLROnPlateau)
            for name, mode in (("val_script", "min"), ("val_opposite", "max"))
        ]
        script = Scripted([1 - epoch / 32 for epoch in range(epochs)])
        train(tmp_path, Trainer(epochs=epochs, callbacks=[script, *watching]))
    assert [(one.wait, one.best) for one in watching] == [(4, 1), (4, -1)] * 2


def test_a_resumed_callback_that_watches_another_metric_counts_anew(tmp_path):
    for epochs, changes in ((2, [{}, {}]), (3, [{"monitor": "val_mae"}, {"mode": "max"}])):
        watch = {"monitor": "val_script", "mode": "min", "patience": 3}
        watching = [KERAS.EarlyStopping(**watch | change) for change in changes]
        script = Scripted([-100.0, -101.0, -101.0])
        train(tmp_path, Trainer(epochs=epochs, callbacks=[script, *watching]))
        assert [one.best_epoch for one in watching] == [epochs - 1] * 2


def test_a_changed_patience_counts_from_the_resume_on(tmp_path):
    for epochs, patience in ((3, 6), (9, 4)):
        watching = KERAS.EarlyStopping("val_script", patience=patience, mode="min")
        trainer = Trainer(epochs=epochs, callbacks=[Scripted([0.0] * 9), watching])
        _, rows, _ = train(tmp_path, trainer)
    assert [epoch for epoch, *_ in rows] == [3, 4]


def test_every_callback_of_keras_is_looked_at():
    """A new one has to be decided upon: which of its attributes are settings, and which state."""
    kinds = {name for name, one in vars(KERAS).items() if isinstance(one, type)}
    tried = {"EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint", "LearningRateScheduler"}
    tried |= {"CSVLogger", "SwapEMAWeights"}
    stateless = {"Callback", "CallbackList", "LambdaCallback", "RemoteMonitor", "TerminateOnNaN"}
    of_one_fit = {"History", "ProgbarLogger", "TensorBoard", "OrbaxCheckpoint"}
    assert kinds == tried | stateless | of_one_fit | {"BackupAndRestore"}  # which is refused
