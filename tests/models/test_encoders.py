import keras
import numpy as np
import pytest

from reprise.models import segmentation
from reprise.models.encoders import scale_images


def test_scaling_equals_what_every_backbone_s_weights_were_trained_on():
    library = segmentation._segmentation_models()
    names = [name for name in library.get_available_backbone_names() if "densenet" not in name]
    assert len(names) == 29
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("uint8")
    seen = set()
    for name in names:
        expected = np.asarray(library.get_preprocessing(name)(images.astype("float32")))
        received = scaled(images, name)
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5, err_msg=name)
        seen.add(expected.tobytes())
    assert len(seen) == 4  # raw, caffe, tf and torch


@pytest.mark.parametrize("backbone", ["resnet18", "vgg16", "mobilenet", "efficientnetb0"])
def test_16_bit_and_grey_images_are_scaled_to_the_same_range(backbone):
    grey = np.random.default_rng(0).integers(0, 256, (1, 5, 4, 1)).astype("uint8")
    expected = scaled(np.repeat(grey, 3, axis=-1), backbone)
    np.testing.assert_array_equal(scaled(grey, backbone), expected)
    deep = grey.astype("uint16") * 257
    np.testing.assert_allclose(scaled(deep, backbone), expected, rtol=0, atol=5e-5)


def scaled(images, backbone):
    inputs = keras.Input(images.shape[1:], dtype=images.dtype.name)
    return np.asarray(keras.Model(inputs, scale_images(inputs, backbone))(images))
