"""What the segmentation architectures share: raw images in, class probabilities out."""

import contextlib
import io
import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras

from reprise.datasets.base import Spec
from reprise.errors import UserError
from reprise.models.encoders import check_weights_file, loading, scale_images
from reprise.models.plain_layers import plain_copy

# A layer is the decoder's if its name begins so; the last two are always the head. Encoder layers
# have no mark of their own that BatchNormalization carries too.
DECODER = (
    "aggregation", "center_block", "decoder_", "final_", "fpn_", "head_", "psp_", "segm_",
)  # fmt: skip


def assemble(
    architecture: str,
    input_spec: Spec,
    target_spec: Spec,
    *,
    size_step: int,
    backbone: str,
    encoder_weights: str | None,
    encoder_freeze: bool | int,
    classes: int | None,
    batchnorm_momentum: float | None,
    options: Mapping[str, Any],
) -> keras.Model:
    """Build a network of segmentation-models between raw images and class probabilities.

    Args:
        architecture: Its class in segmentation-models.
        input_spec: Images as the dataset gives them.
        target_spec: Masks of class ids; one class means yes/no.
        size_step: Height and width must be multiples of it.
        backbone: Name of the encoder.
        encoder_weights: None, "imagenet" or a file.
        encoder_freeze: True for ever, or the number of epochs; see `release_epoch`.
        classes: Must agree with `target_spec` where given.
        batchnorm_momentum: Of every BatchNormalization; None leaves each its own.
        options: Further arguments of the architecture.

    Returns:
        Uncompiled model: (batch, height, width, channels) raw to (batch, height, width, classes)
        float32, 0 to 1. Its attribute `release_epoch` is the number of epochs after which a
        frozen encoder shall be let go, or None.

    Raises:
        UserError: sizes, channels, classes or weights do not fit.
    """
    num_classes = _count_classes(target_spec, classes)
    _check_images(architecture.lower(), backbone, input_spec, size_step)
    if encoder_weights not in (None, "imagenet"):
        check_weights_file(encoder_weights)
    height, width, _ = input_spec.shape
    library = _segmentation_models()
    with loading(encoder_weights, backbone):
        network = getattr(library, architecture)(
            backbone,
            input_shape=(height, width, 3),
            classes=num_classes,
            activation="linear",
            encoder_weights=encoder_weights,
            **options,
        )
    head = {layer.name for layer in network.layers[-2:]}
    network = plain_copy(
        network,
        batchnorm_momentum,
        frozen=lambda name: bool(encoder_freeze) and not _of_decoder(name, head),
    )
    network.name = architecture.lower()
    images = keras.Input(input_spec.shape, dtype=input_spec.dtype, name="images")
    logits = network(scale_images(images, backbone))
    activation = "sigmoid" if num_classes == 1 else "softmax"
    # float32 under a mixed policy too: 1 - 1e-4 has no bfloat16 of its own.
    probabilities = keras.layers.Activation(activation, dtype="float32", name="probabilities")
    model = keras.Model(images, probabilities(logits), name=f"{architecture.lower()}_{backbone}")
    model.release_epoch = None if isinstance(encoder_freeze, bool) else encoder_freeze
    return model


def _of_decoder(name: str, head: set[str]) -> bool:
    return name.startswith(DECODER) or name in head


def _segmentation_models() -> ModuleType:
    os.environ["SM_FRAMEWORK"] = "tf.keras"  # its other framework fails on Keras 3
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a line when imported
        import segmentation_models
    return segmentation_models


def _count_classes(target_spec: Spec, classes: int | None) -> int:
    known = len(target_spec.classes)
    if known and classes in (None, known):
        return known
    names = ", ".join(target_spec.classes)
    raise UserError(
        f"model.classes={classes} does not fit the dataset's masks",
        expected=f"{known} ({names})" if known else "masks of class ids",
        received=str(classes) if known else "a target without classes",
        remedy="leave model.classes=null, which takes the number from the dataset"
        if known
        else "choose a dataset whose target is a mask, such as dataset=image_mask",
    )


def _check_images(architecture: str, backbone: str, spec: Spec, step: int) -> None:
    height, width, channels = spec.shape
    if channels not in (1, 3):
        raise UserError(
            f"model={architecture} cannot take images of {channels} channels",
            expected="1 (grey) or 3 (RGB)",
            received=str(channels),
            remedy="set dataset.channels=3",
        )
    smallest = step * -(-75 // step) if backbone.startswith("inception") else step
    fits = [size % step == 0 and size >= smallest for size in (height, width)]
    if not all(fits):
        low, high = (
            [_nearest(size, step, smallest, up) for size in (height, width)] for up in (0, 1)
        )
        raise UserError(
            f"model={architecture} with backbone {backbone} cannot take images of this size",
            expected=f"height and width that are multiples of {step}, at least {smallest}",
            received=f"dataset.image_size=[{height},{width}]",
            remedy=f"set dataset.image_size={_text(low)}"
            + (f" or dataset.image_size={_text(high)}" if high != low else ""),
        )


def _nearest(size: int, step: int, smallest: int, up: int) -> int:
    return max(smallest, step * (-(-size // step) if up else size // step))


def _text(sizes: list[int]) -> str:
    return f"[{sizes[0]},{sizes[1]}]"
