"""LinkNet: a light decoder that adds the encoder's features instead of appending them."""

from typing import Annotated, Literal

import keras
from annotated_types import Ge, Interval

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
