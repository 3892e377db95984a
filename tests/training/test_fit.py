import keras
import numpy as np
import pytest

from reprise.errors import UserError
from reprise.training.blow_up import BlowUp
from reprise.training.compile import compile_model
from reprise.training.fit import fit, watchers
from reprise.training.keeping import Keeping
from reprise.training.score import score
from reprise.training.trainer import Trainer

X = np.arange(8, dtype="float32").reshape(4, 2)
Y = np.ones((4, 1), "float32")


def make_model(learning_rate=0.001):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(learning_rate)
    return compile_model(model, optimizer, keras.losses.MeanSquaredError(), [])


def endless(start):
    while True:
        yield X, Y


@pytest.fixture
def keeping(tmp_path):
    """A new training, which nobody asks to end."""
    return Keeping(tmp_path, None, lambda: None, failed=print)


class Pass(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return X, Y


def test_steps_and_epochs_are_as_asked(keeping):
    model = make_model()
    fit(model, endless, Pass(), Trainer(epochs=3), steps_per_epoch=5, callbacks=[], keeping=keeping)
    assert int(model.optimizer.iterations) == 15


def test_early_stopping_stops(keeping):
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))
    trainer = Trainer(epochs=50, early_stopping_patience=2, min_delta=1e9)
    fit(
        make_model(),
        endless,
        Pass(),
        trainer,
        steps_per_epoch=1,
        callbacks=[watch],
        keeping=keeping,
    )
    assert len(seen) == 3
    assert "val_loss" in seen[0]


def test_the_learning_rate_falls_on_a_plateau(keeping):
    model = make_model(learning_rate=0.01)
    trainer = Trainer(epochs=3, reduce_lr_patience=1, reduce_lr_factor=0.1, min_delta=1e9)
    fit(model, endless, Pass(), trainer, steps_per_epoch=1, callbacks=[], keeping=keeping)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0001)


def test_no_watcher_that_was_not_asked_for():
    (only,) = watchers(Trainer(epochs=1), make_model())
    assert isinstance(only, BlowUp)


def test_own_callbacks_come_from_the_settings():
    own = keras.callbacks.TerminateOnNaN()
    assert watchers(Trainer(epochs=1, callbacks=[own]), make_model())[1:] == [own]


def test_an_error_of_the_data_reaches_the_user_as_itself(keeping):
    mistake = UserError("sample 3", "an image", "nothing", "mend it")

    def broken(start):
        yield X, Y
        raise RuntimeError("wrapped")

    with pytest.raises(UserError, match="sample 3"):
        fit(
            make_model(), broken, None, Trainer(epochs=1),
            steps_per_epoch=4, callbacks=[], keeping=keeping, cause=lambda: mistake,
        )  # fmt: skip


def test_an_error_of_ours_stays_as_it_is(keeping):
    def broken(start):
        yield X, Y
        raise RuntimeError("ours")

    with pytest.raises(Exception, match="ours"):
        fit(
            make_model(), broken, None, Trainer(epochs=1),
            steps_per_epoch=4, callbacks=[], keeping=keeping,
        )  # fmt: skip


def test_score_names_the_split():
    model = make_model()
    expected = float(np.mean((model.predict(X, verbose=0) - Y) ** 2))
    assert score(model, Pass(), "test") == {"test/loss": pytest.approx(expected, rel=1e-6)}


@pytest.mark.parametrize(
    ("monitor", "keras_name"), [("valid/iou", "val_iou"), ("train/loss", "loss")]
)
def test_monitor_is_translated(monitor, keras_name):
    assert Trainer(epochs=1, monitor=monitor).keras_monitor == keras_name
