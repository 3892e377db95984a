"""FPN: features of four sizes, each decoded alone, then brought together."""

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
    pyramid_filters: Annotated[int, Ge(1)] = 256,
    aggregation: Literal["concat", "sum"] = "concat",
    dropout: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> keras.Model:  # fmt: skip
    """Build an FPN; arguments that are not listed are those of `Encoder` and `assemble`.

    Args:
        pyramid_filters: Channels of every level of the pyramid.
        aggregation: How the four decoded levels are brought together.
        dropout: Share of whole channels dropped before the head; None: no dropout.

    Source: Lin et al. (2017); Kirillov et al. (2019); built by segmentation-models.
    """
    encoder = Encoder(backbone, encoder_weights, encoder_freeze, batchnorm_momentum)
    options = {
        "pyramid_block_filters": pyramid_filters,
        "pyramid_aggregation": aggregation,
        "pyramid_dropout": dropout,
    }
    return assemble(
        "FPN", input_spec, target_spec, encoder,
        classes=classes, size_step=32, options=options,
    )  # fmt: skip
