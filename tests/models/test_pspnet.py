import inspect
from pathlib import Path

import keras
import yaml

from reprise.models import pspnet
from reprise.spec import Spec

ROOT = Path(__file__).parents[2]
IMAGES = Spec((96, 96, 3), "uint8")
MASKS = Spec((96, 96, 1), "uint8", ("ink",))


def test_downsampling_filters_pooling_and_dropout():
    options = {"downsample_factor": 4, "pyramid_filters": 16, "pooling": "max", "dropout": 0.25}
    network = pspnet.build(IMAGES, MASKS, **options).get_layer("pspnet")
    assert network.get_layer("psp_level6_conv").filters == 16
    assert isinstance(network.get_layer("psp_level6_pooling"), keras.layers.MaxPooling2D)
    assert network.get_layer("spatial_dropout").rate == 0.25
    assert network.get_layer("final_upsampling").size == (4, 4)


def test_the_config_file_says_what_the_signature_says():
    node = yaml.safe_load((ROOT / "conf/model/pspnet.yaml").read_text())
    assert node.pop("_target_") == "reprise.models.pspnet.build"
    parameters = inspect.signature(pspnet.build).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert len(defaults) == 9
    assert node == {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    }
