"""LinkNet: a light decoder that adds the encoder's features instead of appending them."""

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

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
    decoder_block: Literal["upsampling", "transpose"] = "upsampling",
) -> "keras.Model":
    """Build a LinkNet; arguments that are not listed are those of `segmentation.assemble`.

    Args:
        decoder_block: Upsampling and a convolution, or a transposed convolution.

    Source: Chaurasia & Culurciello (2017); built by segmentation-models.
    """
    from reprise.models.segmentation import assemble

    return assemble(
        "Linknet",
        input_spec,
        target_spec,
        backbone=backbone,
        encoder_weights=encoder_weights,
        encoder_freeze=encoder_freeze,
        classes=classes,
        batchnorm_momentum=batchnorm_momentum,
        size_step=32,
        decoder_block_type=decoder_block,
    )
