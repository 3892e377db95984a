"""Layers that architectures share, and what holds for the models of all of them."""

import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
from keras.applications.imagenet_utils import preprocess_input
from models.by_heart import noise

from reprise.models import autoencoder, cnn, mlp, pspnet
from reprise.models.layers import add_head, scale, to_imagenet, unscale
from reprise.objectives import classification, regression
from reprise.spec import Spec
from reprise.training.fit import compile_model

ONE = Spec((), "int32", ("a", "b", "c"))
SEVERAL = Spec((3,), "uint8", ("a", "b", "c"))
MATRIX = Spec((9, 13, 2), "float32", offset=(0.0, 1e6), scale=(4.0, 1e5))
PICTURE, ROW = Spec((9, 13, 1), "uint8"), Spec((4,), "float32", offset=(1.0,), scale=(2.0,))
STEPS = Spec((None, 4), "float32")


def shallow(backbone):
    """The shallowest network of segmentation-models."""
    options = {"backbone": backbone, "downsample_factor": 4, "pyramid_filters": 8}
    mask = Spec((48, 48, 1), "uint8", ("a", "b", "c"))
    return pspnet.build(Spec((48, 48, 3), "uint8"), mask, **options)


MODELS = {
    "cnn": lambda: cnn.build(PICTURE, ONE),
    "cnn labels": lambda: cnn.build(PICTURE, SEVERAL, top="flatten"),
    "mlp": lambda: mlp.build(ROW, MATRIX, dropout=0.5),
    "mlp steps": lambda: mlp.build(STEPS, ONE),
    "autoencoder": lambda: autoencoder.build(PICTURE, MATRIX, batchnorm_momentum=0.9),
    # Between them: the slices, the dropout and swish, the Lambda layers that are rewritten.
    **{name: partial(shallow, name) for name in ("vgg16", "efficientnetb0", "seresnet18")},
}
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("uint8")


def converted(images, mode, white):
    inputs = keras.Input(images.shape[1:], dtype=images.dtype.name)
    return np.asarray(keras.Model(inputs, to_imagenet(inputs, mode, white))(images))


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch", "raw"])
def test_imagenet_scaling_equals_keras_s_own_and_raw_is_0_to_255(mode):
    received, expected = converted(IMAGES, mode, 255.0), IMAGES.astype("float32")
    assert received.dtype == np.float32
    if mode != "raw":
        expected = preprocess_input(expected.copy(), mode=mode)
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch", "raw"])
def test_every_range_and_one_channel_give_the_same(mode):
    grey = IMAGES[..., :1]
    expected = converted(np.repeat(grey, 3, axis=-1), mode, 255.0)
    np.testing.assert_array_equal(converted(grey, mode, 255.0), expected)
    floats = (grey / 255).astype("float32")
    np.testing.assert_allclose(converted(floats, mode, 1.0), expected, rtol=0, atol=1e-4)
    deep = grey.astype("uint16") * 257
    np.testing.assert_allclose(converted(deep, mode, 65535.0), expected, rtol=0, atol=1e-4)


def scaled(values, spec):
    inputs = keras.Input(spec.shape, dtype=spec.dtype)
    return np.asarray(keras.Model(inputs, scale(inputs, spec))(values))


def unscaled(values, spec):
    inputs = keras.Input(spec.shape)
    return np.asarray(keras.Model(inputs, unscale(inputs, spec))(values))


@pytest.mark.parametrize(
    ("dtype", "largest"), [("uint8", 255), ("uint16", 65535), ("float32", 1), ("int32", 1)]
)
def test_unsigned_integers_alone_are_divided_by_their_largest_value(dtype, largest):
    received = scaled(np.array([[0, 51, largest]], dtype), Spec((3,), dtype))
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, [[0, 51 / largest, 1]], rtol=1e-7)


def test_what_was_learned_holds_for_each_entry_of_the_last_axis_or_for_all():
    values = np.array([[10.0, 300.0], [14.0, 100.0]], "float32")
    each = scaled(values, Spec((2,), "float32", offset=(12.0, 200.0), scale=(2.0, 100.0)))
    np.testing.assert_allclose(each, [[-1, 1], [1, -1]])
    together = scaled(values, Spec((2,), "float32", offset=(10.0,), scale=(10.0,)))
    np.testing.assert_allclose(together, [[0, 29], [0.4, 9]], rtol=1e-6)
    received = scaled(np.array([[3, 5]], "uint8"), Spec((2,), "uint8", offset=(3,), scale=(2,)))
    np.testing.assert_array_equal(received, [[0, 1]])


def test_large_values_that_differ_little_keep_their_digits():
    spec = Spec((1,), "float32", offset=(16_000_000.0,), scale=(3.0,))
    received = scaled(np.array([[16_000_001.0], [15_999_997.0]], "float32"), spec)
    np.testing.assert_allclose(received, [[1 / 3], [-1]], rtol=1e-6)


def test_the_way_back_is_the_inverse():
    spec = Spec((2,), "float32", offset=(1e6, 0.0), scale=(1e5, 1e-9))
    outputs = np.array([[-1.5, 0.25], [0.0, 2.0]], "float32")
    values = unscaled(outputs, spec)
    np.testing.assert_allclose(values, [[850_000, 2.5e-10], [1e6, 2e-9]], rtol=1e-6)
    np.testing.assert_allclose(scaled(values, spec), outputs, rtol=1e-5)


def test_without_anything_learned_the_way_back_changes_nothing():
    values = np.array([[-7.0, 7.0]], "float32")
    np.testing.assert_array_equal(unscaled(values, Spec((2,), "float32")), values)
    shifted = unscaled(values, Spec((2,), "float32", offset=(1.0,)))
    np.testing.assert_array_equal(shifted, [[-6, 8]])


def head(target_spec, policy="float32"):
    keras.config.set_dtype_policy(policy)
    try:
        features = keras.Input((5,))
        return keras.Model(features, add_head(features, target_spec))
    finally:
        keras.config.set_dtype_policy("float32")


def answers(target_spec):
    features = np.random.default_rng(0).normal(size=(7, 5)).astype("float32")
    return np.asarray(head(target_spec)(features))


def test_one_class_has_probabilities_that_sum_to_1():
    received = answers(ONE)
    assert received.shape == (7, 3)
    np.testing.assert_allclose(received.sum(1), 1, atol=1e-6)


def test_each_of_several_labels_has_a_probability_of_its_own():
    received = answers(SEVERAL)
    assert received.shape == (7, 3)
    assert 0 < received.min() < received.max() < 1
    assert np.ptp(received.sum(1)) > 0.1


@pytest.mark.parametrize("shape", [(), (1,), (2,), (4, 3, 2)])
def test_values_have_the_target_s_shape_and_unit(shape):
    received = answers(Spec(shape, "float32", offset=(1e6,), scale=(1e5,)))
    assert received.shape == (7, *shape)
    assert 1e4 < np.std(received) < 1e6
    assert abs(np.mean(received) - 1e6) < 3e5


@pytest.mark.parametrize("target_spec", [ONE, SEVERAL, MATRIX], ids=["one", "several", "values"])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_the_last_layer_computes_in_float32_in_every_precision(policy, target_spec):
    model = head(target_spec, policy)
    assert model.output.dtype == "float32"
    last = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.compute_dtype for layer in last] == ["float32"]


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_alone_decides_the_first_weights(name):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return MODELS[name]().get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    different = sum(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert different == sum(weights.ndim > 1 for weights in first) >= 3


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", ["cnn", "autoencoder"])
def test_one_step_in_every_precision(policy, name):
    keras.config.set_dtype_policy(policy)
    try:
        model = MODELS[name]()
        of_values = name == "autoencoder"
        objective = regression.build(MATRIX) if of_values else classification.build(ONE)
        compile_model(model, keras.optimizers.Adam(0.01), *objective)
        y = noise(MATRIX.shape, "float32") * 4 + [0, 1e6] if of_values else np.arange(8) % 3
        logs = model.train_on_batch(noise(PICTURE.shape, "uint8"), y, return_dict=True)
    finally:
        keras.config.set_dtype_policy("float32")
    computed = {x.compute_dtype for x in model.layers if isinstance(x, keras.layers.Conv2D)}
    assert policy.removeprefix("mixed_") in computed
    assert model.output.dtype == "float32"
    assert 0.1 < logs["loss"] < 10
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_a_saved_model_needs_only_keras(tmp_path):
    x, known = {}, {}
    for name, make in MODELS.items():
        model = make()
        shape = tuple(size or 6 for size in model.input_shape[1:])
        x[name] = noise(shape, model.input.dtype)
        known[name] = np.asarray(model(x[name]))
        model.save(tmp_path / f"{name}.keras")
    np.savez(tmp_path / "x.npz", **x)
    np.savez(tmp_path / "known.npz", **known)
    program = """
import sys, keras, numpy as np
x, known = np.load("x.npz"), np.load("known.npz")
for name in x:
    received = np.asarray(keras.saving.load_model(f"{name}.keras")(x[name]))
    print(name, np.allclose(received, known[name], rtol=1e-6, atol=1e-6))
print({"reprise", "segmentation_models", "efficientnet"} & set(sys.modules))
"""
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [*(f"{name} True" for name in MODELS), "set()"]
