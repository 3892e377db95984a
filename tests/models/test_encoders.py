import os
import subprocess
import sys
from hashlib import sha256

import keras
import numpy as np
import pytest

from reprise.errors import UserError
from reprise.models import encoders, unet
from reprise.spec import Spec

IMAGES = Spec((64, 64, 3), "uint8")
MASKS = Spec((64, 64, 1), "uint8", ("ink",))
QUICK = ("resnet18",)
SLOW = (
    "resnet34",
    "mobilenetv2",
    "resnext50",
    "seresnet18",
    "efficientnetb0",
    "vgg16",
    "inceptionv3",
)

# Writes an encoder as tf-keras does, Keras 2's layout, and what it gives for one batch.
WRITE = """
import sys
from hashlib import sha256
import numpy as np
from tensorflow import keras
import segmentation_models
from segmentation_models.backbones.backbones_factory import Backbones

assert keras.Model.__module__.startswith("tf_keras"), keras.Model.__module__
parts = dict(
    backend=keras.backend, layers=keras.layers, models=keras.models, utils=keras.utils
)
rng = np.random.default_rng(0)
images = rng.normal(size=(1, 96, 96, 3)).astype("float32")
for name in sys.argv[2:]:
    model = Backbones.get_backbone(
        name, input_shape=(96, 96, 3), weights=None, include_top=False, **parts
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    model.save_weights(f"{sys.argv[1]}/{name}.h5")
    np.savez(
        f"{sys.argv[1]}/{name}.npz",
        x=images,
        y=model(images).numpy(),
        last=model.layers[-1].name,
        weights=[sha256(w.tobytes()).hexdigest() for w in model.get_weights()],
    )
"""


@pytest.fixture(scope="session")
def quick_files(tmp_path_factory):
    return written(tmp_path_factory.mktemp("keras_2"), QUICK)


def written(folder, names):
    command = [sys.executable, "-c", WRITE, str(folder), *names]
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "SM_FRAMEWORK": "tf.keras"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return folder


def built(backbone, **options):
    size = Spec((96, 96, 3), "uint8")
    return unet.build(size, MASKS, backbone=backbone, decoder_filters=[8] * 5, **options)


def assert_the_encoder_arrived(folder, backbone):
    known = np.load(folder / f"{backbone}.npz")
    network = built(backbone, encoder_weights=str(folder / f"{backbone}.h5")).get_layer("unet")
    encoder = keras.Model(network.input, network.get_layer(str(known["last"])).output)
    received = sorted(sha256(w.tobytes()).hexdigest() for w in encoder.get_weights())
    assert received == sorted(known["weights"])
    # The weights are equal to the bit; the rest is the order of sums through dozens of layers.
    expected = known["y"]
    assert np.ptp(expected) > 0.01
    tolerance = 5e-6 * np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(encoder(known["x"])), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("backbone", QUICK)
def test_files_in_the_layout_of_keras_2_arrive(quick_files, backbone):
    assert_the_encoder_arrived(quick_files, backbone)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", SLOW)
def test_files_of_other_families_arrive(tmp_path, backbone):
    assert_the_encoder_arrived(written(tmp_path, [backbone]), backbone)


def test_files_in_the_layout_of_keras_3_arrive(tmp_path, quick_files):
    source = built("resnet18", encoder_weights=str(quick_files / "resnet18.h5")).get_layer("unet")
    path = tmp_path / "encoder.weights.h5"
    keras.Model(source.input, source.get_layer("relu1").output).save_weights(path)
    network = built("resnet18", encoder_weights=str(path)).get_layer("unet")
    for name in ("conv0", "bn_data", "stage4_unit2_conv2"):
        for a, b in zip(
            source.get_layer(name).get_weights(), network.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_a_file_of_another_backbone_or_layout_is_refused(tmp_path, quick_files):
    source = built("resnet34").get_layer("unet")
    in_keras_3 = tmp_path / "resnet34.weights.h5"
    keras.Model(source.input, source.get_layer("relu1").output).save_weights(in_keras_3)
    misnamed = tmp_path / "resnet18.weights.h5"  # Keras 2's layout with Keras 3's name
    misnamed.write_bytes((quick_files / "resnet18.h5").read_bytes())
    of_another = ("resnet34", quick_files / "resnet18.h5")
    for name, path in (of_another, ("resnet18", in_keras_3), ("resnet18", misnamed)):
        with pytest.raises(UserError, match=rf"do not fit model\.backbone={name}") as error:
            built(name, encoder_weights=str(path))
        assert str(path) in str(error.value)
        assert "must not end in .weights.h5" in str(error.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path, quick_files):
    (tmp_path / "text.h5").write_text("not weights")
    (tmp_path / "resnet18.bin").write_bytes((quick_files / "resnet18.h5").read_bytes())
    for name, received in {
        "missing.h5": "no such file",
        ".": "not a file",
        "text.h5": "a file of 11 bytes that is not HDF5",
        "resnet18.bin": "an HDF5 file whose name ends in .bin",
    }.items():
        with pytest.raises(UserError, match="the weights cannot be read") as error:
            encoders.find_weights(str(tmp_path / name))
        assert received in str(error.value)


def test_relative_paths_start_from_the_project_s_folder(tmp_path, monkeypatch, quick_files):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoders, "ROOT", quick_files)
    assert encoders.find_weights("resnet18.h5") == str(quick_files / "resnet18.h5")
    assert encoders.find_weights("imagenet") == "imagenet"
    assert encoders.find_weights(None) is None


def test_without_a_network_imagenet_says_so_and_what_to_do(tmp_path, monkeypatch):
    """An empty cache, and a proxy that nobody answers at: this machine's network plays no part."""
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(UserError) as caught:
        built("resnet18", encoder_weights="imagenet")
    said = str(caught.value)
    assert "model.encoder_weights=imagenet: the weights of resnet18 could not be had" in said
    assert "resnet18_imagenet_1000_no_top.h5" in said
    assert "model.encoder_weights=PATH" in said
