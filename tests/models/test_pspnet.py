import keras

from reprise.models import pspnet
from reprise.spec import Spec

IMAGES = Spec((96, 96, 3), "uint8")
MASKS = Spec((96, 96, 1), "uint8", ("ink",))


def test_downsampling_filters_pooling_and_dropout():
    options = {"downsample_factor": 4, "pyramid_filters": 16, "pooling": "max", "dropout": 0.25}
    network = pspnet.build(IMAGES, MASKS, **options).get_layer("pspnet")
    assert network.get_layer("psp_level6_conv").filters == 16
    assert isinstance(network.get_layer("psp_level6_pooling"), keras.layers.MaxPooling2D)
    assert network.get_layer("spatial_dropout").rate == 0.25
    assert network.get_layer("final_upsampling").size == (4, 4)
