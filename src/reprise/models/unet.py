"""U-Net: the encoder's features, brought back to full size step by step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Len

from reprise.models.encoders import Backbone, Freeze, Momentum, Weights
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras


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
) -> "keras.Model":
    """Build a U-Net; arguments that are not listed are those of `segmentation.assemble`.

    Args:
        decoder_filters: Channels of the five decoder stages, coarse to fine.
        decoder_block: Upsampling and two convolutions, or a transposed and one.

    Source: Ronneberger, Fischer & Brox (2015); built by segmentation-models.
    """
    from reprise.models.segmentation import assemble

    return assemble(
        "Unet",
        input_spec,
        target_spec,
        backbone=backbone,
        encoder_weights=encoder_weights,
        encoder_freeze=encoder_freeze,
        classes=classes,
        batchnorm_momentum=batchnorm_momentum,
        size_step=32,
        decoder_filters=tuple(decoder_filters),
        decoder_block_type=decoder_block,
    )
