"""LinkNet: a light decoder that adds the encoder's features instead of appending them."""

from typing import Annotated, Literal

import keras
from annotated_types import Ge

from reprise.models.encoders import Backbone, Encoder, Freeze, Momentum, Weights
from reprise.models.segmentation import assemble
from reprise.spec import Spec


def build(
    input_spec: Spec,
    target_spec: Spec,
    *,
    backbone: Backbone = "resnet18",
    encoder_weights: Weights = None,
    encoder_freeze: Freeze = False,
    classes: Annotated[int, Ge(1)] | None = None,
    batchnorm_momentum: Momentum = 0.9,
    decoder_block: Literal["upsampling", "transpose"] = "upsampling",
) -> keras.Model:  # fmt: skip
    """Build a LinkNet; arguments that are not listed are those of `Encoder` and `assemble`.

    Args:
        decoder_block: Upsampling and a convolution, or a transposed convolution.

    Source: Chaurasia & Culurciello (2017); built by segmentation-models.
    """
    encoder = Encoder(backbone, encoder_weights, encoder_freeze, batchnorm_momentum)
    options = {"decoder_block_type": decoder_block}
    return assemble(
        "Linknet", input_spec, target_spec, encoder,
        classes=classes, size_step=32, options=options,
    )  # fmt: skip
