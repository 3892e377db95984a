from reprise.models import fpn
from reprise.spec import Spec

IMAGES = Spec((96, 96, 3), "uint8")
MASKS = Spec((96, 96, 1), "uint8", ("ink",))


def test_pyramid_filters_aggregation_and_dropout():
    options = {"pyramid_filters": 16, "aggregation": "sum", "dropout": 0.25}
    network = fpn.build(IMAGES, MASKS, **options).get_layer("fpn")
    assert network.get_layer("fpn_stage_p2_conv").filters == 16
    assert network.get_layer("aggregation_sum")
    assert network.get_layer("pyramid_dropout").rate == 0.25
