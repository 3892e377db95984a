"""The encoder that a segmentation network stands on, and the images it was trained for."""

from dataclasses import dataclass
from typing import Annotated, Literal

import keras
from annotated_types import Ge, Interval

from reprise.models.imagenet import Mode, to_imagenet

Backbone = Literal[
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50", "resnext101",
    "seresnet18", "seresnet34", "seresnet50", "seresnet101", "seresnet152", "seresnext50",
    "seresnext101", "senet154", "vgg16", "vgg19", "inceptionv3", "inceptionresnetv2",
    "mobilenet", "mobilenetv2", "efficientnetb0", "efficientnetb1", "efficientnetb2",
    "efficientnetb3", "efficientnetb4", "efficientnetb5", "efficientnetb6", "efficientnetb7",
]  # fmt: skip
Weights = Literal["imagenet"] | Annotated[str, "file"] | None
Freeze = bool | Annotated[int, Ge(1)]
Momentum = Annotated[float, Interval(gt=0, lt=1)] | None

# How each family's published weights were trained. Backbones that are not here (ResNet, ResNeXt,
# SE-ResNet 18 and 34) take the raw values 0 to 255: they begin with a BatchNormalization.
SCALINGS: dict[str, Mode] = {
    "vgg": "caffe",
    "mobilenet": "tf",
    "inception": "tf",
    "efficientnet": "torch",
    "seresnet50": "torch",
    "seresnet101": "torch",
    "seresnet152": "torch",
    "seresnext": "torch",
    "senet": "torch",
}


@dataclass(frozen=True)
class Encoder:
    """The keys that every architecture has in common.

    Args:
        backbone: Name in segmentation-models. Its DenseNets are missing: Keras 3 refuses the `/` in
            the names of their layers.
        weights: None (random), `imagenet` (downloaded once) or an HDF5 file.
        freeze: Keep it as it is, BatchNormalization included: True for the whole run, a number for
            that many epochs.
        batchnorm_momentum: Of every BatchNormalization, the decoder's too. The backbones' own
            (None) is 0.99 or 0.999, and takes hundreds of steps to forget the random start; 0.9
            takes dozens.
    """

    backbone: str
    weights: str | None
    freeze: bool | int
    batchnorm_momentum: float | None


def scale_images(images: keras.KerasTensor, backbone: str) -> keras.KerasTensor:
    """Bring raw images to the values that the backbone's published weights were trained on.

    Args:
        images: Grey or RGB, shape (batch, height, width, 1 or 3), uint8 or uint16.
        backbone: A name of segmentation-models.

    Returns:
        Shape (batch, height, width, 3), float32.
    """
    family = next((family for family in SCALINGS if backbone.startswith(family)), None)
    mode: Mode = "raw" if family is None else SCALINGS[family]
    return to_imagenet(images, mode, 65535.0 if images.dtype == "uint16" else 255.0)
