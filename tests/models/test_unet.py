import inspect
from pathlib import Path

import yaml

from reprise.models import unet
from reprise.spec import Spec

ROOT = Path(__file__).parents[2]
IMAGES = Spec((96, 96, 3), "uint8")
MASKS = Spec((96, 96, 1), "uint8", ("ink",))


def test_decoder_filters_and_block():
    options = {"decoder_filters": [16, 8, 8, 4, 4], "decoder_block": "transpose"}
    network = unet.build(IMAGES, MASKS, **options).get_layer("unet")
    filters = [network.get_layer(f"decoder_stage{at}b_conv").filters for at in range(5)]
    assert filters == [16, 8, 8, 4, 4]
    assert network.get_layer("decoder_stage0a_transpose").filters == 16


def test_the_config_file_says_what_the_signature_says():
    node = yaml.safe_load((ROOT / "conf/model/unet.yaml").read_text())
    assert node.pop("_target_") == "reprise.models.unet.build"
    parameters = inspect.signature(unet.build).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert len(defaults) == 7
    assert node == {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    }
