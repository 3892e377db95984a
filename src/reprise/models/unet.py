"""U-Net: the encoder's features, brought back to full size step by step."""

from collections.abc import Sequence
from typing import Annotated, Literal

import keras
from annotated_types import Ge, Len

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
    decoder_filters: Annotated[Sequence[Annotated[int, Ge(1)]], Len(5, 5)] = (256, 128, 64, 32, 16),
    decoder_block: Literal["upsampling", "transpose"] = "upsampling",
) -> keras.Model:  # fmt: skip
    """Build a U-Net; arguments that are not listed are those of `Encoder` and `assemble`.

    Args:
        decoder_filters: Channels of the five decoder stages, coarse to fine.
        decoder_block: Upsampling and two convolutions, or a transposed and one.

    Source: Ronneberger, Fischer & Brox (2015); built by segmentation-models.
    """
    encoder = Encoder(backbone, encoder_weights, encoder_freeze, batchnorm_momentum)
    options = {"decoder_filters": tuple(decoder_filters), "decoder_block_type": decoder_block}
    return assemble(
        "Unet", input_spec, target_spec, encoder,
        classes=classes, size_step=32, options=options,
    )  # fmt: skip
