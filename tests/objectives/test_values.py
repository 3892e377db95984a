import keras
import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from reprise.objectives.losses import ValueLoss
from reprise.objectives.metrics import ValueScore

KINDS = ("mae", "rmse", "r2")
SHAPES = [(), (3,), (4, 5, 2)]


def truth_and_guess(shape, count=23):
    """In units as far apart as people have them: about 0, and a million give or take 100 000."""
    rng = np.random.default_rng(0)
    unit = np.array([1, 1e5, 1e-3])[: shape[-1]] if shape else 1e5
    truth = rng.normal(size=(count, *shape)) * unit + (1e6 if not shape else 10 * unit)
    guess = truth + 0.3 * rng.normal(size=truth.shape) * unit
    return truth.astype("float32"), guess.astype("float32")


def score(kind, truth, guess, size=None):
    metric = ValueScore(kind, truth.shape[-1] if truth.ndim > 1 else 1)
    size = size or len(truth)
    for at in range(0, len(truth), size):
        metric.update_state(truth[at : at + size], guess[at : at + size])
    return float(metric.result())


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_scikit_learn_and_no_batch_size_changes_it(shape):
    truth, guess = truth_and_guess(shape)
    last = shape[-1] if shape else 1
    flat = [array.astype("float64").reshape(-1, last) for array in (truth, guess)]
    expected = {
        "mae": mean_absolute_error(*(array.ravel() for array in flat)),
        "rmse": root_mean_squared_error(*(array.ravel() for array in flat)),
        "r2": r2_score(*flat),
    }
    assert set(expected) == set(KINDS)
    assert 0.8 < expected["r2"] < 0.95
    for kind, value in expected.items():
        for size in (1, 4, 23):
            assert score(kind, truth, guess, size) == pytest.approx(value, rel=1e-9)


def test_r2_of_the_mean_is_0_and_of_a_worse_answer_below():
    truth = np.array([1, 2, 3], "float32")
    assert score("r2", truth, truth) == 1
    assert score("r2", truth, np.full(3, 2, "float32")) == 0
    assert score("r2", truth, np.array([3, 2, 1], "float32")) == -3


def test_a_truth_that_does_not_vary_has_a_defined_r2():
    truth = np.full((4, 2), 7, "float32")
    assert score("r2", truth, truth) == 1
    assert score("r2", truth, truth + np.array([0, 1], "float32")) == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_count_gives_0_not_nan_also_after_a_reset(kind):
    metric = ValueScore(kind, 2)
    assert float(metric.result()) == 0
    metric.update_state(*truth_and_guess((2,)))
    assert float(metric.result()) > 0
    metric.reset_state()
    assert float(metric.result()) == 0


def test_hand_computed_losses():
    truth, guess = np.array([[0.0, 10.0]], "float32"), np.array([[3.0, 11.0]], "float32")
    expected = {"mse": (9 + 1) / 2, "mae": (3 + 1) / 2, "huber": (2.5 + 0.5) / 2}
    scaled = {"mse": (9 + 0.25) / 2, "mae": (3 + 0.5) / 2, "huber": (2.5 + 0.125) / 2}
    for kind, value in expected.items():
        assert float(ValueLoss(kind)(truth, guess)) == pytest.approx(value)
        assert float(ValueLoss(kind, (1.0, 2.0))(truth, guess)) == pytest.approx(scaled[kind])
    theirs = keras.losses.Huber()(truth, guess)
    assert float(ValueLoss("huber")(truth, guess)) == pytest.approx(float(theirs))


@pytest.mark.parametrize("kind", ["mse", "mae", "huber"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_loss_is_the_mean_over_all_values_of_any_shape(kind, shape):
    truth, guess = truth_and_guess(shape)
    spread = tuple(np.atleast_1d(truth.std(axis=tuple(range(truth.ndim - bool(shape))))).tolist())
    error = (guess.astype("float64") - truth) / np.array(spread if shape else spread[0])
    size = np.abs(error)
    by_hand = {"mse": error**2, "mae": size, "huber": np.where(size <= 1, error**2 / 2, size - 0.5)}
    received = float(ValueLoss(kind, spread)(truth, guess))
    assert received == pytest.approx(by_hand[kind].mean(), rel=1e-4)
    assert 0.01 < received < 1  # whatever the unit


def test_a_saved_loss_and_score_are_the_same_and_xla_gives_their_values():
    import tensorflow as tf

    truth, guess = truth_and_guess((3,))
    loss, metric = ValueLoss("huber", (1.0, 1e5, 1e-3)), ValueScore("r2", 3)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(truth, guess)) == float(loss(truth, guess))
    compiled = tf.function(loss, jit_compile=True)(tf.constant(truth), tf.constant(guess))
    assert float(compiled) == pytest.approx(float(loss(truth, guess)), rel=1e-5)
    metric.update_state(truth, guess)
    other = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert other.get_config() == metric.get_config()
    tf.function(other.update_state, jit_compile=True)(tf.constant(truth), tf.constant(guess))
    assert float(other.result()) == pytest.approx(float(metric.result()), rel=1e-9)
