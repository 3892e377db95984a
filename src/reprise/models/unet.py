"""U-Net: the encoder's features, brought back to full size step by step."""

from collections.abc import Sequence
from typing import Annotated, Literal

import keras
from annotated_types import Ge, Interval, Len

from reprise.models.encoders import Encoder
from reprise.models.segmentation import assemble
from reprise.spec import Spec


def build(
    input_spec: Spec,
    target_spec: Spec,
    *,
    backbone: Literal[
        "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50", "resnext101",
        "seresnet18", "seresnet34", "seresnet50", "seresnet101", "seresnet152", "seresnext50",
        "seresnext101", "senet154", "vgg16", "vgg19", "inceptionv3", "inceptionresnetv2",
        "mobilenet", "mobilenetv2", "efficientnetb0", "efficientnetb1", "efficientnetb2",
        "efficientnetb3", "efficientnetb4", "efficientnetb5", "efficientnetb6", "efficientnetb7",
    ] = "resnet18",
    encoder_weights: Literal["imagenet"] | Annotated[str, "file"] | None = None,
    encoder_freeze: bool | Annotated[int, Ge(1)] = False,
    classes: Annotated[int, Ge(1)] | None = None,
    batchnorm_momentum: Annotated[float, Interval(gt=0, lt=1)] | None = 0.9,
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
