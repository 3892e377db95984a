import keras
import numpy as np
import pytest
from models.by_heart import by_heart, noise

from reprise.models import mlp
from reprise.objectives import classification, regression
from reprise.spec import Spec

ROW, STEPS = Spec((4,), "float32"), Spec((None, 4), "float32")
THREE = Spec((), "int32", ("a", "b", "c"))


@pytest.mark.parametrize(("shape", "inputs"), [((4,), 4), ((), 1), ((3, 2), 6), ((28, 28, 1), 784)])
def test_any_known_shape_is_a_row(shape, inputs):
    model = mlp.build(Spec(shape, "float32"), THREE, units=[5], activation="tanh", dropout=0.5)
    hidden, last = (layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    assert (hidden.kernel.shape, last.kernel.shape) == ((inputs, 5), (5, 3))
    assert hidden.activation is keras.activations.tanh
    assert np.asarray(model(noise(shape, "float32"))).shape == (8, 3)


def test_without_hidden_layers_it_is_a_linear_model():
    model = mlp.build(ROW, THREE, units=[])
    assert model.count_params() == 4 * 3 + 3


def test_padding_does_not_change_the_answer_for_a_sequence():
    model = mlp.build(STEPS, THREE)
    steps = noise((5, 4), "float32")
    padded = np.concatenate([steps, np.zeros((8, 3, 4), "float32")], axis=1)
    expected = np.asarray(model(steps))
    np.testing.assert_allclose(np.asarray(model(padded)), expected, rtol=1e-6)
    assert np.ptp(expected, axis=0).min() > 0.01
    of_padding_alone = np.asarray(model(np.zeros((1, 6, 4), "float32")))
    np.testing.assert_allclose(of_padding_alone, 1 / 3, rtol=1e-6)


def test_sequences_are_learned_by_heart():
    _, metrics = by_heart(
        lambda: mlp.build(STEPS, THREE), noise((5, 4), "float32"), np.arange(8) % 3,
        classification.build(THREE), steps=80,
    )  # fmt: skip
    assert metrics["accuracy"] == 1


def test_values_of_any_unit_are_learned_by_heart():
    # -7 to 7, and a million give or take 100 000: one output layer, one learning rate
    truth = np.random.default_rng(1).uniform(-1, 1, (8, 2)) * [7, 1e5] + [0, 1e6]
    spec = Spec((2,), "float32", offset=(0.0, 1e6), scale=(4.0, 6e4))
    x, y = noise((4,), "float32"), truth.astype("float32")
    model, metrics = by_heart(lambda: mlp.build(ROW, spec), x, y, regression.build(spec), steps=200)
    received = np.asarray(model(x))
    assert np.abs(received - y).max(axis=0)[0] < 0.1
    assert np.abs(received - y).max(axis=0)[1] < 1500
    assert metrics["r2"] > 0.999
    assert received[:, 0].min() < -3
