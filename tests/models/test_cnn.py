import keras
import numpy as np
import pytest
from models.by_heart import by_heart, noise

from reprise.errors import UserError
from reprise.models import cnn
from reprise.objectives import classification
from reprise.spec import Spec

THREE = Spec((), "int32", ("a", "b", "c"))


def of_type(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def test_blocks_are_as_asked_for():
    model = cnn.build(
        Spec((28, 28, 1), "uint8"), THREE, filters=[4, 6], convolutions=2, kernel_size=5,
        block_dropout=0.1, top="flatten", units=[7, 5], dropout=0.5,
    )  # fmt: skip
    convolutions = of_type(model, keras.layers.Conv2D)
    assert [layer.filters for layer in convolutions] == [4, 4, 6, 6]
    assert {layer.kernel_size for layer in convolutions} == {(5, 5)}
    norms = of_type(model, keras.layers.BatchNormalization)
    assert [norm.momentum for norm in norms] == [0.9] * 4
    assert [layer.rate for layer in of_type(model, keras.layers.Dropout)] == [0.1, 0.1, 0.5]
    dense = of_type(model, keras.layers.Dense)
    assert [layer.kernel.shape for layer in dense] == [(7 * 7 * 6, 7), (7, 5), (5, 3)]


def test_batch_normalization_and_dropout_can_be_left_out():
    options = {"batchnorm_momentum": None, "units": [], "dropout": 0.0}
    model = cnn.build(Spec((8, 8, 1), "uint8"), THREE, **options)
    assert not of_type(model, (keras.layers.BatchNormalization, keras.layers.Dropout))
    assert all(layer.use_bias for layer in of_type(model, keras.layers.Conv2D))
    assert [layer.kernel.shape for layer in of_type(model, keras.layers.Dense)] == [(128, 3)]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((8, 8, 1), "uint8"), ((9, 13, 5), "uint16"), ((256, 1876, 1), "float32")],
)
def test_any_size_channels_and_dtype(shape, dtype):
    model = cnn.build(Spec(shape, dtype), THREE)
    received = np.asarray(model(noise(shape, dtype)[:1]))
    assert model.input.dtype == dtype
    assert received.shape == (1, 3)
    assert np.isfinite(received).all()
    assert model.count_params() < 120_000  # whatever the size


@pytest.mark.parametrize("shape", [(7, 28, 1), (28, 7, 1)])
def test_sizes_that_vanish_are_refused(shape):
    with pytest.raises(UserError, match="vanish on the way down") as error:
        cnn.build(Spec(shape, "uint8"), THREE)
    assert "at least 8: model.filters has 3" in str(error.value)
    assert f"{shape[0]} x {shape[1]}" in str(error.value)
    assert "set model.filters to 2 of its 3 blocks" in str(error.value)
    cnn.build(Spec(shape, "uint8"), THREE, filters=[8, 8])


def test_eight_samples_are_learned_by_heart():
    spec, labels = Spec((8, 8, 1), "uint8"), np.arange(8) % 3
    _, metrics = by_heart(
        lambda: cnn.build(spec, THREE), noise(spec.shape, "uint8"), labels,
        classification.build(THREE), steps=40,
    )  # fmt: skip
    assert metrics["accuracy"] == metrics["f1"] == 1
    assert metrics["loss"] < 0.05
