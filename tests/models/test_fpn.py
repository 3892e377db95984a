import inspect
from pathlib import Path

import yaml

from reprise.models import fpn
from reprise.spec import Spec

ROOT = Path(__file__).parents[2]
IMAGES = Spec((96, 96, 3), "uint8")
MASKS = Spec((96, 96, 1), "uint8", ("ink",))


def test_pyramid_filters_aggregation_and_dropout():
    options = {"pyramid_filters": 16, "aggregation": "sum", "dropout": 0.25}
    network = fpn.build(IMAGES, MASKS, **options).get_layer("fpn")
    assert network.get_layer("fpn_stage_p2_conv").filters == 16
    assert network.get_layer("aggregation_sum")
    assert network.get_layer("pyramid_dropout").rate == 0.25


def test_the_config_file_says_what_the_signature_says():
    node = yaml.safe_load((ROOT / "conf/model/fpn.yaml").read_text())
    assert node.pop("_target_") == "reprise.models.fpn.build"
    parameters = inspect.signature(fpn.build).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert len(defaults) == 8
    assert node == {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    }
