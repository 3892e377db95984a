from reprise.models import unet
from reprise.spec import Spec

IMAGES = Spec((96, 96, 3), "uint8")
MASKS = Spec((96, 96, 1), "uint8", ("ink",))


def test_decoder_filters_and_block():
    options = {"decoder_filters": [16, 8, 8, 4, 4], "decoder_block": "transpose"}
    network = unet.build(IMAGES, MASKS, **options).get_layer("unet")
    filters = [network.get_layer(f"decoder_stage{at}b_conv").filters for at in range(5)]
    assert filters == [16, 8, 8, 4, 4]
    assert network.get_layer("decoder_stage0a_transpose").filters == 16
