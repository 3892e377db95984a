import inspect
import re
import typing

import keras
import numpy as np
import pytest
import tensorflow
from tensorflow.python.framework import config as tf_config

from reprise.models import fpn, linknet, pspnet, segmentation, unet
from reprise.models.encoders import Backbone
from reprise.models.segmentation import plain_copy, scale_images
from reprise.objectives import segmentation as objective
from reprise.spec import Spec

ARCHITECTURES = {"unet": unet, "fpn": fpn, "linknet": linknet, "pspnet": pspnet}
BACKBONES = typing.get_args(Backbone)
LIGHT = {"decoder_filters": [8, 8, 8, 8, 8]}
YES_NO = ("ink",)
THREE = ("sky", "road", "car")


def images(height=96, width=96, channels=3, dtype="uint8"):
    return Spec((height, width, channels), dtype)


def masks(classes=YES_NO, height=96, width=96):
    return Spec((height, width, 1), "uint8", classes, ignore=255)


def batch(height=96, width=96, channels=3, count=2):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, height, width, channels)).astype("uint8")


# The shallowest of all these networks, since XLA takes half a minute for a whole encoder.
def shallow(classes=YES_NO, backbone="resnet18", channels=3, dtype="uint8"):
    options = {"backbone": backbone, "downsample_factor": 4, "pyramid_filters": 8}
    return pspnet.build(images(48, 48, channels, dtype), masks(classes), **options)


@pytest.fixture
def policy():
    yield keras.mixed_precision.set_global_policy
    keras.mixed_precision.set_global_policy("float32")


@pytest.fixture(scope="module")
def yes_no_model():
    return unet.build(images(32, 64), masks(height=32, width=64), **LIGHT)


def test_raw_images_in_and_a_probability_out(yes_no_model):
    assert yes_no_model.input.dtype == "uint8"
    assert yes_no_model.input_shape == (None, 32, 64, 3)
    # In training, since BatchNormalization has seen nothing yet and lets 0 to 255 through.
    received = np.asarray(yes_no_model(batch(32, 64), training=True))
    assert received.shape == (2, 32, 64, 1)
    assert received.dtype == np.float32
    assert 0 < received.min() < received.max() < 1
    assert not yes_no_model.compiled
    assert yes_no_model.release_epoch is None


OPTIONS = {
    "unet": (
        {"decoder_filters": [16, 8, 8, 4, 4], "decoder_block": "transpose"},
        {f"decoder_stage{i}b_conv.filters": n for i, n in enumerate((16, 8, 8, 4, 4))}
        | {"decoder_stage0a_transpose.filters": 16},
    ),
    "fpn": (
        {"pyramid_filters": 16, "aggregation": "sum", "dropout": 0.25},
        {
            "fpn_stage_p2_conv.filters": 16,
            "aggregation_sum.name": "aggregation_sum",
            "pyramid_dropout.rate": 0.25,
        },
    ),
    "linknet": (
        {"decoder_block": "transpose"},
        {"decoder_stage0b_transpose.name": "decoder_stage0b_transpose"},
    ),
    "pspnet": (
        {"downsample_factor": 4, "pyramid_filters": 16, "pooling": "max", "dropout": 0.25},
        {
            "psp_level6_conv.filters": 16,
            "psp_level6_pooling.__class__": keras.layers.MaxPooling2D,
            "spatial_dropout.rate": 0.25,
            "final_upsampling.size": (4, 4),
        },
    ),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request):
    """Each architecture by its name, with options and a frozen encoder: model and network."""
    build, (options, _) = ARCHITECTURES[request.param].build, OPTIONS[request.param]
    model = build(images(), masks(THREE), encoder_freeze=True, **options)
    return request.param, model, model.get_layer(request.param)


def test_a_frozen_encoder_is_frozen_whole_and_nothing_else_is(architecture):
    name, model, network = architecture
    assert_the_encoder_alone_is_frozen(network, "resnet18", is_whole=name != "pspnet")
    assert model.release_epoch is None


def test_a_number_freezes_until_that_epoch():
    model = unet.build(images(), masks(), backbone="vgg16", encoder_freeze=3, **LIGHT)
    assert_the_encoder_alone_is_frozen(model.get_layer("unet"), "vgg16")
    assert model.release_epoch == 3


def assert_the_encoder_alone_is_frozen(network, backbone, is_whole=True):
    """PSPNet leaves the encoder before its end."""
    frozen = {layer.name for layer in network.layers if layer.weights and not layer.trainable}
    free = {layer.name for layer in network.layers if layer.weights and layer.trainable}
    encoder = encoder_layers(backbone)
    assert frozen == (encoder if is_whole else encoder & (frozen | free))
    assert frozen
    assert free
    assert not free & encoder


def test_options_reach_their_layers(architecture):
    name, _, network = architecture
    for path, value in OPTIONS[name][1].items():
        layer, _, attribute = path.partition(".")
        assert getattr(network.get_layer(layer), attribute) == value, path


def test_several_classes_sum_to_1(architecture):
    name, model, _ = architecture
    received = np.asarray(model(batch()))
    assert received.shape == (2, 96, 96, 3)
    np.testing.assert_allclose(received.sum(-1), 1, atol=1e-6)
    assert model.name == f"{name}_resnet18"


def encoder_layers(backbone):
    segmentation._segmentation_models()
    from segmentation_models.backbones.backbones_factory import Backbones

    parts = {
        name: getattr(tensorflow.keras, name) for name in ("backend", "layers", "models", "utils")
    }
    encoder = Backbones.get_backbone(
        backbone, input_shape=(96, 96, 3), weights=None, include_top=False, **parts
    )
    return {layer.name for layer in encoder.layers if layer.weights}


@pytest.mark.parametrize(
    ("momentum", "expected"),
    [(0.9, {0.9}), pytest.param(None, {0.99, 0.999}, marks=pytest.mark.slow)],
)
def test_batchnorm_momentum(momentum, expected):
    options = {"backbone": "mobilenetv2", "batchnorm_momentum": momentum}
    network = unet.build(images(32, 32), masks(), **options, **LIGHT).get_layer("unet")
    norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 62
    assert {norm.momentum for norm in norms} == expected


def test_grey_and_16_bit_images_give_what_their_8_bit_rgb_gives():
    grey = batch(48, 48, channels=1)
    keras.utils.set_random_seed(0)  # some weights answer the same everywhere
    models = [shallow(), shallow(channels=1), shallow(channels=1, dtype="uint16")]
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    rgb, small, deep = (
        np.asarray(model(x))
        for model, x in zip(
            models, (np.repeat(grey, 3, -1), grey, grey.astype("uint16") * 257), strict=True
        )
    )
    assert np.ptp(rgb) > 0.01
    np.testing.assert_array_equal(small, rgb)
    np.testing.assert_allclose(deep, rgb, atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "channels"),
    [("resnet18", 4), pytest.param("efficientnetb0", 5, marks=pytest.mark.slow)],
)
def test_random_weights_take_any_number_of_channels(backbone, channels):
    model = unet.build(images(channels=channels), masks(), backbone=backbone, **LIGHT)
    assert model.input_shape[-1] == channels
    x = batch(channels=channels)
    assert np.isfinite(np.asarray(model(x))).all()
    x[..., -1] = 255 - x[..., -1]
    assert np.ptp(np.asarray(model(x)) - np.asarray(model(batch(channels=channels)))) > 0


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "jit_compile"), [(YES_NO, True), (THREE, False)])
def test_one_step_in_bfloat16(policy, classes, jit_compile):
    policy("mixed_bfloat16")
    assert_one_step(shallow(classes), classes, jit_compile, "bfloat16")


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_step_of_every_architecture(policy, architecture, name, jit_compile):
    policy(name)
    model = ARCHITECTURES[architecture].build(images(), masks(THREE))
    assert_one_step(model, THREE, jit_compile, name.removeprefix("mixed_"))


def assert_one_step(model, classes, jit_compile, compute_dtype):
    network = model.layers[-2]
    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert {layer.compute_dtype for layer in convolutions} == {compute_dtype}
    assert model.output.dtype == "float32"
    loss, metrics = objective.build(masks(classes))
    determinism = tf_config.is_op_determinism_enabled()
    tf_config.disable_op_determinism()  # Keras leaves XLA out while it is on
    try:
        model.compile(optimizer="adam", loss=loss, metrics=metrics, jit_compile=jit_compile)
        height, width = model.input_shape[1:3]
        rng = np.random.default_rng(0)
        x, y = batch(height, width), rng.integers(0, max(2, len(classes)), (2, height, width, 1))
        y[:, :4] = 255
        logs = model.train_on_batch(x, y.astype("uint8"), return_dict=True)
        assert model.jit_compile is jit_compile
    finally:
        if determinism:
            tf_config.enable_op_determinism()
    assert np.isfinite(logs["loss"])
    assert logs["loss"] > 0.1
    assert np.asarray(model(x)).dtype == np.float32
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_every_architecture_lists_all_backbones_there_are():
    known = segmentation._segmentation_models().get_available_backbone_names()
    expected = sorted(name for name in known if not name.startswith("densenet"))
    assert sorted(BACKBONES) == expected
    assert len(BACKBONES) == 29
    for module in ARCHITECTURES.values():
        assert inspect.signature(module.build).parameters["backbone"].annotation is Backbone


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_builds_and_gives_finite_probabilities(backbone):
    model = unet.build(images(), masks(THREE), backbone=backbone, encoder_freeze=True, **LIGHT)
    received = np.asarray(model(batch()))
    assert received.shape == (2, 96, 96, 3)
    assert np.isfinite(received).all()
    network = model.get_layer("unet")
    frozen = [layer.name for layer in network.layers if layer.weights and not layer.trainable]
    assert len(frozen) == len(encoder_layers(backbone))


def test_scaling_equals_what_every_backbone_s_weights_were_trained_on():
    library = segmentation._segmentation_models()
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("uint8")
    seen = set()
    for name in BACKBONES:
        expected = np.asarray(library.get_preprocessing(name)(images.astype("float32")))
        inputs = keras.Input(images.shape[1:], dtype="uint8")
        received = np.asarray(keras.Model(inputs, scale_images(inputs, name))(images))
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5, err_msg=name)
        seen.add(expected.tobytes())
    assert len(seen) == 4  # raw, caffe, tf and torch


# One backbone for each thing that has to be rewritten: squeeze and excitation, swish with a
# dropout of its own. Nothing at all, the residual of InceptionResNetV2 and grouped convolutions
# are among the slow ones.
QUICK = ("seresnet18", "efficientnetb0")
SLOW = ("resnet18", "inceptionresnetv2", "resnext50", "seresnext50", "mobilenetv2")


# What a saved config names that a process with Keras alone could not find.
FOREIGN = re.compile(
    r'"module": "(?!keras|builtins)|"registered_name": "[^"]*>|"class_name": "(Lambda|function)'
)


def network_of(backbone):
    library = segmentation._segmentation_models()
    keras.utils.set_random_seed(0)
    return library.Linknet(backbone, input_shape=(96, 96, 3), encoder_weights=None)


@pytest.mark.parametrize(
    "backbone", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_the_copy_has_the_same_outputs_and_nothing_foreign(backbone):
    network = network_of(backbone)
    copy = plain_copy(network, None, frozen=set())
    images = np.random.default_rng(0).normal(size=(1, 96, 96, 3)).astype("float32")
    expected = np.asarray(network(images))
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(np.asarray(copy(images)), expected, atol=1e-6)
    assert copy.count_params() == network.count_params()
    assert not FOREIGN.search(copy.to_json())
    assert FOREIGN.search(network.to_json()) or backbone in ("resnet18", "mobilenetv2")


def test_an_unknown_lambda_is_not_passed_on():
    images = keras.Input((4, 4, 3))
    network = keras.Model(images, keras.layers.Lambda(lambda x: x * 2, name="double")(images))
    with pytest.raises(NotImplementedError, match="double"):
        plain_copy(network, None, frozen=set())
