import inspect
import subprocess
import sys
import typing

import keras
import numpy as np
import pytest
from models.by_heart import by_heart, noise

from reprise.config.check import check
from reprise.errors import UserError
from reprise.models import application
from reprise.models.layers import to_imagenet
from reprise.objectives import classification
from reprise.spec import Spec
from reprise.training.fit import Unfreeze, compile_model

GREY, RGB = Spec((32, 32, 1), "uint8"), Spec((32, 32, 3), "uint8")
THREE = Spec((), "int32", ("a", "b", "c"))
BACKBONES = typing.get_args(application.Backbone)
NORMS = keras.layers.BatchNormalization


def network_of(model):
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def test_every_network_of_keras_is_known():
    theirs = {name for name, _ in inspect.getmembers(keras.applications, inspect.isfunction)}
    assert set(BACKBONES) == theirs
    assert len(BACKBONES) == len(theirs) == 40


def test_a_wrong_name_is_told_the_nearest():
    overrides = ["experiment=digits", "model=application", "model.backbone=ResNet51"]
    with pytest.raises(UserError, match=r"did you mean ResNet50\?"):
        check(overrides, providable=lambda path: True)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_each_is_given_what_its_published_weights_were_trained_on(backbone):
    module = inspect.getmodule(inspect.unwrap(getattr(keras.applications, backbone)))
    images = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype("float32")
    expected = np.asarray(module.preprocess_input(images.copy()))
    inputs = keras.Input((4, 4, 3))
    mode = application._mode(backbone)
    received = keras.Model(inputs, to_imagenet(inputs, mode, 255.0))(images)
    np.testing.assert_allclose(np.asarray(received), expected, rtol=0, atol=1e-4)


def test_one_step_and_what_the_keys_do():
    model = application.build(GREY, THREE, backbone="MobileNet", units=[5], dropout=0.5)
    kept = application.build(GREY, THREE, backbone="MobileNet", batchnorm_momentum=None)
    for built, momentum in ((model, 0.9), (kept, 0.99)):
        norms = [layer for layer in network_of(built).layers if isinstance(layer, NORMS)]
        assert [norm.momentum for norm in norms] == [momentum] * 27
    network = network_of(model)
    assert model.name == "application_mobilenet"
    assert model.input.dtype == "uint8"
    assert model.release_epoch is None
    loss, metrics = classification.build(THREE)
    compile_model(model, keras.optimizers.Adam(), loss, metrics)
    model.run_eagerly = True  # the graph of it takes seconds
    before = [np.asarray(weights) for weights in network.trainable_variables]
    logs = model.train_on_batch(noise((32, 32, 1), "uint8"), np.arange(8) % 3, return_dict=True)
    assert 0.1 < logs["loss"] < 10
    moved = [
        np.any(a != np.asarray(b)) for a, b in zip(before, network.trainable_variables, strict=True)
    ]
    assert np.mean(moved) > 0.8


def test_floats_of_0_to_1_are_pictures_too():
    images = noise((32, 32, 1), "uint8")
    floats = Spec((32, 32, 1), "float32")
    decibel = Spec((32, 32, 1), "float32", offset=(-80.0,), scale=(80.0,))
    models = [application.build(spec, THREE, backbone="VGG16") for spec in (GREY, floats, decibel)]
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    unit = (images / 255).astype("float32")
    expected, of_floats, of_decibel = (
        np.asarray(model(x))
        for model, x in zip(models, (images, unit, 80 * unit - 80), strict=True)
    )
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(of_floats, expected, atol=1e-4)
    np.testing.assert_allclose(of_decibel, expected, atol=1e-4)


def test_a_frozen_backbone_is_frozen_whole_and_let_go_after_its_epochs():
    model = application.build(GREY, THREE, backbone="MobileNet", encoder_freeze=2)
    assert [tuple(weights.shape) for weights in model.trainable_variables] == [(1024, 3), (3,)]
    assert model.release_epoch == 2
    loss, metrics = classification.build(THREE)
    compile_model(model, keras.optimizers.SGD(), loss, metrics)
    release = Unfreeze(2)
    release.set_model(model)
    release.on_epoch_begin(1)
    assert len(model.trainable_variables) == 2
    release.on_epoch_begin(2)
    assert len(model.trainable_variables) > 80
    frozen = application.build(GREY, THREE, backbone="MobileNet", encoder_freeze=True)
    assert frozen.release_epoch is None
    assert len(frozen.trainable_variables) == 2


def test_weights_from_a_file_arrive_and_those_of_another_network_are_refused(tmp_path):
    source = network_of(application.build(RGB, THREE, backbone="MobileNet"))
    path = tmp_path / "mobilenet.weights.h5"
    source.save_weights(path)
    options = {"backbone": "MobileNet", "encoder_weights": str(path)}
    network = network_of(application.build(RGB, THREE, **options))
    for a, b in zip(source.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UserError, match=r"do not fit model\.backbone=VGG16") as error:
        application.build(RGB, THREE, backbone="VGG16", encoder_weights=str(path))
    assert str(path) in str(error.value)
    with pytest.raises(UserError, match="the weights cannot be read"):
        application.build(RGB, THREE, encoder_weights=str(tmp_path / "missing.h5"))


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_network_trains_a_step_and_comes_back_from_its_file(backbone, tmp_path):
    size = next((own for f, own in application.SMALLEST.items() if backbone.startswith(f)), 32)
    model = application.build(Spec((size, size, 1), "uint8"), THREE, backbone=backbone)
    # of 2 samples and 1 pixel at the end, some hundred variances are so small that all overflows
    x, y = noise((size, size, 1), "uint8"), np.arange(8) % 3
    loss, metrics = classification.build(THREE)
    compile_model(model, keras.optimizers.SGD(1e-4), loss, metrics)  # without slots: 350 M weights
    logs = model.train_on_batch(x, y, return_dict=True)
    assert 0 < logs["loss"] < 50
    expected = np.asarray(model(x))
    assert np.isfinite(expected).all()
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "known.npz", x=x, expected=expected)
    del model
    program = """
import sys, keras, numpy as np
known = np.load("known.npz")
model = keras.saving.load_model("model.keras", compile=False)
received = np.asarray(model(known["x"]))
print(np.allclose(received, known["expected"], rtol=0, atol=1e-5), "reprise" in sys.modules)
"""
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.stdout.split() == ["True", "False"], result.stderr
    (tmp_path / "model.keras").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["MobileNet", "EfficientNetV2B0", "DenseNet121"])
def test_eight_samples_are_learned_by_heart(backbone):
    _, metrics = by_heart(
        lambda: application.build(GREY, THREE, backbone=backbone, dropout=0.0),
        noise((32, 32, 1), "uint8"), np.arange(8) % 3, classification.build(THREE),
        steps=150, learning_rate=0.001,
    )  # fmt: skip
    assert metrics["accuracy"] == 1
