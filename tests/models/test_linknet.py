import inspect
from pathlib import Path

import yaml

from reprise.models import linknet
from reprise.spec import Spec

ROOT = Path(__file__).parents[2]
IMAGES = Spec((96, 96, 3), "uint8")
MASKS = Spec((96, 96, 1), "uint8", ("ink",))


def test_decoder_block():
    network = linknet.build(IMAGES, MASKS, decoder_block="transpose").get_layer("linknet")
    assert network.get_layer("decoder_stage0b_transpose")


def test_the_config_file_says_what_the_signature_says():
    node = yaml.safe_load((ROOT / "conf/model/linknet.yaml").read_text())
    assert node.pop("_target_") == "reprise.models.linknet.build"
    parameters = inspect.signature(linknet.build).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert len(defaults) == 6
    assert node == {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    }
