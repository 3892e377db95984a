from reprise.models import linknet
from reprise.spec import Spec

IMAGES = Spec((96, 96, 3), "uint8")
MASKS = Spec((96, 96, 1), "uint8", ("ink",))


def test_decoder_block():
    network = linknet.build(IMAGES, MASKS, decoder_block="transpose").get_layer("linknet")
    assert network.get_layer("decoder_stage0b_transpose")
