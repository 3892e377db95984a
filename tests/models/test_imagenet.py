import keras
import numpy as np
import pytest
from keras.applications.imagenet_utils import preprocess_input

from reprise.models.imagenet import to_imagenet

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("uint8")


def converted(images, mode, white):
    inputs = keras.Input(images.shape[1:], dtype=images.dtype.name)
    return np.asarray(keras.Model(inputs, to_imagenet(inputs, mode, white))(images))


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_equals_keras_s_own(mode):
    received = converted(IMAGES, mode, 255.0)
    assert received.dtype == np.float32
    expected = preprocess_input(IMAGES.astype("float32"), mode=mode)
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5)


def test_raw_is_0_to_255():
    np.testing.assert_array_equal(converted(IMAGES, "raw", 255.0), IMAGES.astype("float32"))


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch", "raw"])
def test_every_range_and_one_channel_give_the_same(mode):
    grey = IMAGES[..., :1]
    expected = converted(np.repeat(grey, 3, axis=-1), mode, 255.0)
    np.testing.assert_array_equal(converted(grey, mode, 255.0), expected)
    floats = (grey / 255).astype("float32")
    np.testing.assert_allclose(converted(floats, mode, 1.0), expected, rtol=0, atol=1e-4)
    deep = grey.astype("uint16") * 257
    np.testing.assert_allclose(converted(deep, mode, 65535.0), expected, rtol=0, atol=1e-4)
