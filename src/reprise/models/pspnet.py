"""PSPNet: a pyramid of pooled contexts on one feature map of the encoder."""

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Interval

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
    downsample_factor: Literal[4, 8, 16] = 8,
    pyramid_filters: Annotated[int, Ge(1)] = 512,
    pooling: Literal["avg", "max"] = "avg",
    dropout: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> "keras.Model":
    """Build a PSPNet; arguments that are not listed are those of `segmentation.assemble`.

    Args:
        downsample_factor: Image size over feature map size; sizes are multiples of 6 times it.
        pyramid_filters: Channels of every level of the pyramid.
        pooling: How each level sums up its part of the image.
        dropout: Share of whole channels dropped before the head; None: no dropout.

    Source: Zhao et al. (2017); built by segmentation-models.
    """
    from reprise.models.segmentation import assemble

    return assemble(
        "PSPNet",
        input_spec,
        target_spec,
        backbone=backbone,
        encoder_weights=encoder_weights,
        encoder_freeze=encoder_freeze,
        classes=classes,
        batchnorm_momentum=batchnorm_momentum,
        size_step=6 * downsample_factor,
        downsample_factor=downsample_factor,
        psp_conv_filters=pyramid_filters,
        psp_pooling_type=pooling,
        psp_dropout=dropout,
    )
