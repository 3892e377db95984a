import keras
import numpy as np
import pytest

from reprise.errors import UserError
from reprise.training.fit import compile_model, fit, score
from reprise.training.state import read_state
from reprise.training.state_callback import StateCallback
from reprise.training.trainer import Trainer

X = np.arange(8, dtype="float32").reshape(4, 2)
Y = np.ones((4, 1), "float32")
GOOD, STEPS = 6, 4


class Pass(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return X, Y


def make_model(learning_rate=0.001):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(learning_rate)
    return compile_model(model, optimizer, keras.losses.MeanSquaredError(), [])


def endless(start):
    while True:
        yield X, Y


def train(folder, model, batches=endless, **settings):
    """Train without a state to resume from; `settings` are arguments of `fit` or of `Trainer`."""
    named = ("callbacks", "data_error", "steps_per_epoch")
    options = {name: settings.pop(name) for name in named if name in settings}
    options = {"steps_per_epoch": 1, "callbacks": [], **options}
    state = StateCallback(folder, None, lambda: None, failed=print)
    fit(model, batches, Pass(), Trainer(**settings), **options, state=state)
    return model


def test_early_stopping_stops_and_the_learning_rate_falls_on_a_plateau(tmp_path):
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))
    patience = {"early_stopping_patience": 2, "reduce_lr_patience": 1, "reduce_lr_factor": 0.1}
    model = make_model(learning_rate=0.01)
    train(tmp_path, model, epochs=50, min_delta=1e9, callbacks=[watch], **patience)
    assert len(seen) == 3
    assert "val_loss" in seen[0]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0001)


@pytest.mark.parametrize(
    ("mistake", "kind", "said"),
    [
        (UserError("sample 3", "an image", "nothing", "mend it"), UserError, "sample 3"),
        (None, Exception, "ours"),
    ],
)
def test_an_error_of_the_data_is_raised_as_itself_and_any_other_as_it_is(
    mistake, kind, said, tmp_path
):
    def broken(start):
        yield X, Y
        raise RuntimeError("ours")

    options = {"epochs": 1, "steps_per_epoch": 4, "data_error": lambda: mistake}
    with pytest.raises(kind, match=said):
        train(tmp_path, make_model(), broken, **options)


def test_score_names_the_split():
    model = make_model()
    expected = float(np.mean((model.predict(X, verbose=0) - Y) ** 2))
    assert score(model, Pass(), "test") == {"test/loss": pytest.approx(expected, rel=1e-6)}


def batches_with(bad):
    """Ones, and inputs that are `bad` from step 6 on, in the second epoch."""
    ones = np.ones_like(X)
    return lambda start: (
        (ones if step < GOOD else np.full_like(X, bad), Y) for step in range(start, 100)
    )


@pytest.mark.parametrize(
    ("bad", "limit", "said"),
    [
        (np.nan, None, "the loss is nan in epoch 2, step 3"),
        (np.inf, None, "in epoch 2, step 3"),
        (1e6, 1e3, "a finite number of at most 1000"),
    ],
)
def test_a_loss_that_diverges_ends_the_run_with_the_last_good_state(bad, limit, said, tmp_path):
    settings = {"epochs": 9, "loss_limit": limit, "steps_per_epoch": STEPS}
    with pytest.raises(UserError, match=said):
        train(tmp_path, make_model(0.01), batches_with(bad), **settings)
    state, passed = read_state(tmp_path)
    assert (state.step, passed) == (STEPS, [])
    assert all(np.isfinite(array).all() for array in state.arrays.values())


def test_weights_that_are_not_finite_end_the_run_though_the_loss_is(tmp_path):
    """One NaN among the inputs, of which a CPU's relu makes 0."""

    def batches(start):
        for step in range(start, 100):
            yield np.where((X == 0) & (step == GOOD), np.nan, X).astype("float32"), Y

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu", name="hidden")])
    model = compile_model(model, keras.optimizers.SGD(0.01), keras.losses.MeanSquaredError(), [])
    with pytest.raises(UserError, match=r"hidden/kernel are not finite after epoch 2|loss is nan"):
        train(tmp_path, model, batches, epochs=9, steps_per_epoch=STEPS)
    assert read_state(tmp_path)[0].step == STEPS


def test_it_goes_back_and_lowers_the_rate_as_often_as_allowed(tmp_path, capsys):
    """From step 0 with 10, then 1, then 0.1: as if it had begun with 0.1, to the last bit."""
    settings = {"epochs": 2, "loss_limit": 1e3, "reduce_lr_factor": 0.1, "steps_per_epoch": STEPS}
    one = batches_with(1.0)
    model = train(tmp_path / "back", make_model(10.0), one, recoveries=3, **settings)
    assert capsys.readouterr().err.count("back to step 0, with a learning rate of") == 2
    rate = float(model.optimizer.learning_rate)  # 0.1 as two roundings to float32 leave it
    assert rate == pytest.approx(0.1)
    state, _ = read_state(tmp_path / "back")
    assert (state.step, state.facts["recoveries"]) == (2 * STEPS, 2)
    again = train(tmp_path / "begun", make_model(rate), one, **settings)
    np.testing.assert_array_equal(model.get_weights()[0], again.get_weights()[0])
    with pytest.raises(UserError, match=r"(?s)the loss is.*trainer\.recoveries"):
        train(tmp_path / "often", make_model(10.0), one, recoveries=1, **settings)
