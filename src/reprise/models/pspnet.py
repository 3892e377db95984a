"""PSPNet: a pyramid of pooled contexts on one feature map of the encoder."""

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
    downsample_factor: Literal[4, 8, 16] = 8,
    pyramid_filters: Annotated[int, Ge(1)] = 512,
    pooling: Literal["avg", "max"] = "avg",
    dropout: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> keras.Model:  # fmt: skip
    """Build a pyramid scene parsing network.

    Args:
        input_spec: Images as the dataset gives them; height and width are multiples of 6 times
            `downsample_factor`.
        target_spec: Masks of class ids; one class means yes/no.
        backbone: The encoder. DenseNets are missing: Keras 3 refuses the `/` in their layer names.
        encoder_weights: None (random), `imagenet` (downloaded once) or an HDF5 file.
        encoder_freeze: Keep the encoder as it is, BatchNormalization included: True for the whole
            run, a number for that many epochs.
        classes: Number of classes; None takes it from the dataset, any other must agree with it.
        batchnorm_momentum: Of every BatchNormalization. The backbones' own (None) is 0.99 or 0.999,
            and takes hundreds of steps to forget the random start; 0.9 takes dozens.
        downsample_factor: How much smaller than the image the feature map is.
        pyramid_filters: Channels of every level of the pyramid.
        pooling: How each level sums up its part of the image.
        dropout: Share of whole channels dropped before the head; None: no dropout.

    Returns:
        Uncompiled model; see `reprise.models.segmentation.assemble`.

    Raises:
        UserError: sizes, classes or weights do not fit.

    Source: Zhao et al. (2017); built by segmentation-models.
    """
    return assemble(
        "PSPNet",
        input_spec,
        target_spec,
        size_step=6 * downsample_factor,
        backbone=backbone,
        encoder_weights=encoder_weights,
        encoder_freeze=encoder_freeze,
        classes=classes,
        batchnorm_momentum=batchnorm_momentum,
        options={
            "downsample_factor": downsample_factor,
            "psp_conv_filters": pyramid_filters,
            "psp_pooling_type": pooling,
            "psp_dropout": dropout,
        },
    )
