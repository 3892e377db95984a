"""FPN: features of four sizes, each decoded alone, then brought together."""

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
    pyramid_filters: Annotated[int, Ge(1)] = 256,
    aggregation: Literal["concat", "sum"] = "concat",
    dropout: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> "keras.Model":
    """Build an FPN; arguments that are not listed are those of `segmentation.assemble`.

    Args:
        pyramid_filters: Channels of every level of the pyramid.
        aggregation: How the four decoded levels are brought together.
        dropout: Share of whole channels dropped before the head; None: no dropout.

    Source: Lin et al. (2017); Kirillov et al. (2019); built by segmentation-models.
    """
    from reprise.models.segmentation import assemble

    return assemble(
        "FPN",
        input_spec,
        target_spec,
        backbone=backbone,
        encoder_weights=encoder_weights,
        encoder_freeze=encoder_freeze,
        classes=classes,
        batchnorm_momentum=batchnorm_momentum,
        size_step=32,
        pyramid_block_filters=pyramid_filters,
        pyramid_aggregation=aggregation,
        pyramid_dropout=dropout,
    )
