"""U-Net: the encoder's features, brought back to full size step by step."""

from collections.abc import Sequence
from typing import Annotated, Literal

import keras
from annotated_types import Ge, Interval, Len

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
    decoder_filters: Annotated[Sequence[Annotated[int, Ge(1)]], Len(5, 5)] = (256, 128, 64, 32, 16),
    decoder_block: Literal["upsampling", "transpose"] = "upsampling",
) -> keras.Model:  # fmt: skip
    """Build a U-Net.

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
        decoder_filters: Channels of the five decoder stages, coarse to fine.
        decoder_block: Upsampling and two convolutions, or a transposed and one.

    Returns:
        Uncompiled model; see `reprise.models.segmentation.assemble`.

    Raises:
        UserError: sizes, classes or weights do not fit.

    Source: Ronneberger, Fischer & Brox (2015); built by segmentation-models.
    """
    return assemble(
        "Unet",
        input_spec,
        target_spec,
        size_step=32,
        backbone=backbone,
        encoder_weights=encoder_weights,
        encoder_freeze=encoder_freeze,
        classes=classes,
        batchnorm_momentum=batchnorm_momentum,
        options={"decoder_filters": tuple(decoder_filters), "decoder_block_type": decoder_block},
    )
