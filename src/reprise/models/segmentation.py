"""What the segmentation architectures share: raw images in, class probabilities out."""

import contextlib
import io
import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras

from reprise.models import weights
from reprise.models.checks import check_images, count_classes
from reprise.models.encoders import Encoder, scale_images
from reprise.models.plain_layers import plain_copy
from reprise.spec import Spec

# A layer is the decoder's if its name begins so; the last two are always the head. Encoder layers
# have no mark of their own that BatchNormalization carries too.
DECODER = (
    "aggregation", "center_block", "decoder_", "final_", "fpn_", "head_", "psp_", "segm_",
)  # fmt: skip


def assemble(
    architecture: str,
    input_spec: Spec,
    target_spec: Spec,
    encoder: Encoder,
    *,
    classes: int | None,
    size_step: int,
    options: Mapping[str, Any],
) -> keras.Model:
    """Build a network of segmentation-models between raw images and class probabilities.

    Args:
        architecture: Its class in segmentation-models.
        input_spec: Images as the dataset gives them, uint8 or uint16.
        target_spec: Masks of class ids; one class means yes/no.
        encoder: Its first half.
        classes: Number of classes; None takes it from `target_spec`, any other must agree with it.
        size_step: Height and width must be multiples of it.
        options: Further arguments of the architecture.

    Returns:
        Uncompiled model: (batch, height, width, channels) raw to (batch, height, width, classes)
        float32, 0 to 1. Its attribute `release_epoch` is the number of epochs after which a
        frozen encoder shall be let go, or None.

    Raises:
        UserError: sizes, channels, classes or weights do not fit.
    """
    name, num_classes = architecture.lower(), count_classes(target_spec, classes)
    check_images(name, encoder.backbone, input_spec, size_step)
    network = _network(architecture, encoder, input_spec.shape[:2], num_classes, options)
    images = keras.Input(input_spec.shape, dtype=input_spec.dtype, name="images")
    logits = network(scale_images(images, encoder.backbone))
    # float32 under a mixed policy too: the losses need what bfloat16's 8 bits cannot hold.
    activation = "sigmoid" if num_classes == 1 else "softmax"
    head = keras.layers.Activation(activation, dtype="float32", name="probabilities")
    model = keras.Model(images, head(logits), name=f"{name}_{encoder.backbone}")
    model.release_epoch = None if isinstance(encoder.freeze, bool) else encoder.freeze
    return model


def _network(
    architecture: str,
    encoder: Encoder,
    size: tuple[int, ...],
    num_classes: int,
    options: Mapping[str, Any],
) -> keras.Model:
    encoder_weights = weights.find(encoder.weights)
    build = getattr(_segmentation_models(), architecture)
    with weights.loading(encoder.weights, encoder.backbone):
        network = build(
            encoder.backbone,
            input_shape=(*size, 3),
            classes=num_classes,
            activation="linear",
            encoder_weights=encoder_weights,
            **options,
        )
    head = [layer.name for layer in network.layers[-2:]]
    frozen = {
        layer.name
        for layer in network.layers
        if encoder.freeze and layer.name not in head and not layer.name.startswith(DECODER)
    }
    copy = plain_copy(network, encoder.batchnorm_momentum, frozen)
    copy.name = architecture.lower()
    return copy


def _segmentation_models() -> ModuleType:
    os.environ["SM_FRAMEWORK"] = "tf.keras"  # its other framework fails on Keras 3
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a line when imported
        import segmentation_models
    return segmentation_models
