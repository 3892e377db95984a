"""PSPNet: a pyramid of pooled contexts on one feature map of the encoder."""

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
    downsample_factor: Literal[4, 8, 16] = 8,
    pyramid_filters: Annotated[int, Ge(1)] = 512,
    pooling: Literal["avg", "max"] = "avg",
    dropout: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> keras.Model:  # fmt: skip
    """Build a PSPNet; arguments that are not listed are those of `Encoder` and `assemble`.

    Args:
        downsample_factor: Image size over feature map size; sizes are multiples of 6 times it.
        pyramid_filters: Channels of every level of the pyramid.
        pooling: How each level sums up its part of the image.
        dropout: Share of whole channels dropped before the head; None: no dropout.

    Source: Zhao et al. (2017); built by segmentation-models.
    """
    encoder = Encoder(backbone, encoder_weights, encoder_freeze, batchnorm_momentum)
    options = {
        "downsample_factor": downsample_factor, "psp_conv_filters": pyramid_filters,
        "psp_pooling_type": pooling, "psp_dropout": dropout,
    }  # fmt: skip
    return assemble(
        "PSPNet", input_spec, target_spec, encoder,
        classes=classes, size_step=6 * downsample_factor, options=options,
    )  # fmt: skip
