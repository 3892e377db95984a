"""FPN: features of four sizes, each decoded alone, then brought together."""

from typing import Annotated, Literal

import keras
from annotated_types import Ge, Interval

from reprise.datasets.base import Spec
from reprise.models.segmentation import assemble


def build(
    input_spec: Spec,
    target_spec: Spec,
    *,
    backbone: Literal[
        "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
        "resnext50", "resnext101",
        "seresnet18", "seresnet34", "seresnet50", "seresnet101", "seresnet152",
        "seresnext50", "seresnext101", "senet154",
        "vgg16", "vgg19", "inceptionv3", "inceptionresnetv2", "mobilenet", "mobilenetv2",
        "efficientnetb0", "efficientnetb1", "efficientnetb2", "efficientnetb3",
        "efficientnetb4", "efficientnetb5", "efficientnetb6", "efficientnetb7",
    ] = "resnet18",
    encoder_weights: str | None = None,
    encoder_freeze: bool | Annotated[int, Ge(1)] = False,
    classes: Annotated[int, Ge(1)] | None = None,
    batchnorm_momentum: Annotated[float, Interval(gt=0, lt=1)] | None = 0.9,
    pyramid_filters: Annotated[int, Ge(1)] = 256,
    aggregation: Literal["concat", "sum"] = "concat",
    dropout: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> keras.Model:  # fmt: skip
    """Build a feature pyramid network.

    Args:
        input_spec: Images as the dataset gives them; height and width are multiples of 32.
        target_spec: Masks of class ids; one class means yes/no.
        backbone: The encoder. DenseNets are missing: Keras 3 refuses the `/` in their layer names.
        encoder_weights: None (random), `imagenet` (downloaded once) or an HDF5 file.
        encoder_freeze: Keep the encoder as it is, BatchNormalization included: True for the whole
            run, a number for that many epochs.
        classes: Number of classes; None takes it from the dataset, any other must agree with it.
        batchnorm_momentum: Of every BatchNormalization. The backbones' own (None) is 0.99 or 0.999,
            and takes hundreds of steps to forget the random start; 0.9 takes dozens.
        pyramid_filters: Channels of every level of the pyramid.
        aggregation: How the four decoded levels are brought together.
        dropout: Share of whole channels dropped before the head; None: no dropout.

    Returns:
        Uncompiled model; see `reprise.models.segmentation.assemble`.

    Raises:
        UserError: sizes, classes or weights do not fit.

    Source: Lin et al. (2017); Kirillov et al. (2019); built by segmentation-models.
    """
    return assemble(
        "FPN",
        input_spec,
        target_spec,
        size_step=32,
        backbone=backbone,
        encoder_weights=encoder_weights,
        encoder_freeze=encoder_freeze,
        classes=classes,
        batchnorm_momentum=batchnorm_momentum,
        options={
            "pyramid_block_filters": pyramid_filters,
            "pyramid_aggregation": aggregation,
            "pyramid_dropout": dropout,
        },
    )
