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
def test_imagenet_scaling_equals_keras_s_own_for_every_range_and_for_one_channel(mode):
    """`raw` is 0 to 255."""
    grey = IMAGES[..., :1]
    rgb = np.repeat(grey, 3, axis=-1)
    expected = rgb.astype("float32")
    if mode != "raw":
        expected = preprocess_input(expected.copy(), mode=mode)
    given = [(rgb, 255.0), (grey, 255.0), (grey.astype("uint16") * 257, 65535.0)]
    for images, white in [*given, ((grey / 255).astype("float32"), 1.0)]:
        received = converted(images, mode, white)
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, expected, rtol=0, atol=1e-4)


def scaled(values, spec):
    inputs = keras.Input(spec.shape, dtype=spec.dtype)
    return np.asarray(keras.Model(inputs, scale(inputs, spec))(values))


def unscaled(values, spec):
    inputs = keras.Input(spec.shape)
    return np.asarray(keras.Model(inputs, unscale(inputs, spec))(values))


@pytest.mark.parametrize(
    ("dtype", "offset", "scales", "values", "expected"),
    [
        ("uint8", None, None, [[0, 51, 255]], [[0, 0.2, 1]]),
        ("uint16", None, None, [[0, 51, 65535]], [[0, 51 / 65535, 1]]),
        ("float32", None, None, [[0, 51, 1]], [[0, 51, 1]]),
        ("int32", None, None, [[0, 51, 1]], [[0, 51, 1]]),
        ("uint8", (3,), (2,), [[3, 5]], [[0, 1]]),
        ("float32", (12.0, 200.0), (2.0, 100.0), [[10, 300], [14, 100]], [[-1, 1], [1, -1]]),
        ("float32", (10.0,), (10.0,), [[10, 300], [14, 100]], [[0, 29], [0.4, 9]]),
        ("float32", (16e6,), (3.0,), [[16_000_001], [15_999_997]], [[1 / 3], [-1]]),
    ],
)
def test_inputs_are_scaled_by_what_was_learned_or_by_their_type(
    dtype, offset, scales, values, expected
):
    """Unsigned integers alone have a type with a largest value; digits of large values are kept."""
    learned = {} if offset is None else {"offset": offset, "scale": scales}
    values = np.array(values, dtype)
    received = scaled(values, Spec(values.shape[1:], dtype, **learned))
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, expected, rtol=1e-6)


def test_the_way_back_is_the_inverse():
    spec = Spec((2,), "float32", offset=(1e6, 0.0), scale=(1e5, 1e-9))
    outputs = np.array([[-1.5, 0.25], [0.0, 2.0]], "float32")
    values = unscaled(outputs, spec)
    np.testing.assert_allclose(values, [[850_000, 2.5e-10], [1e6, 2e-9]], rtol=1e-6)
    np.testing.assert_allclose(scaled(values, spec), outputs, rtol=1e-5)
    np.testing.assert_array_equal(unscaled(outputs, Spec((2,), "float32")), outputs)
    shifted = unscaled(outputs, Spec((2,), "float32", offset=(1.0,)))
    np.testing.assert_array_equal(shifted, outputs + 1)


def answers(target_spec):
    features = np.random.default_rng(0).normal(size=(7, 5)).astype("float32")
    inputs = keras.Input((5,))
    return np.asarray(keras.Model(inputs, add_head(inputs, target_spec))(features))


def test_one_class_has_probabilities_that_sum_to_1_and_each_label_one_of_its_own():
    one, several = answers(ONE), answers(SEVERAL)
    assert one.shape == several.shape == (7, 3)
    np.testing.assert_allclose(one.sum(1), 1, atol=1e-6)
    assert 0 < several.min() < several.max() < 1
    assert np.ptp(several.sum(1)) > 0.1


@pytest.mark.parametrize("shape", [(), (1,), (2,), (4, 3, 2)])
def test_values_have_the_target_s_shape_and_unit(shape):
    received = answers(Spec(shape, "float32", offset=(1e6,), scale=(1e5,)))
    assert received.shape == (7, *shape)
    assert 1e4 < np.std(received) < 1e6
    assert abs(np.mean(received) - 1e6) < 3e5


DEEP = ("vgg16", "efficientnetb0")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in DEEP else []) for n in MODELS]
)
def test_the_seed_alone_decides_the_first_weights(name):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return MODELS[name]().get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    different = sum(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert different == sum(weights.ndim > 1 for weights in first) >= 3


@pytest.mark.parametrize(
    ("name", "policy"), [("cnn", "mixed_float16"), ("autoencoder", "mixed_bfloat16")]
)
def test_one_step_in_every_precision(name, policy):
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


@pytest.mark.parametrize(
    "names", [[n for n in MODELS if n not in DEEP], pytest.param(DEEP, marks=pytest.mark.slow)]
)
def test_a_saved_model_needs_only_keras(names, tmp_path):
    x, known = {}, {}
    for name in names:
        model = MODELS[name]()
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
    assert result.stdout.splitlines() == [*(f"{name} True" for name in names), "set()"]
