"""Segmentation models: raw images in, class probabilities out.

The networks are those of segmentation-models, rewritten into layers that any Keras can load.
"""

import contextlib
import io
import os
from collections.abc import Set
from types import ModuleType
from typing import Any

import keras

from reprise.models.encoders import find_weights, loading_weights
from reprise.models.layers import Mode, encoder_channels, to_imagenet
from reprise.models.requirements import require_images, require_mask
from reprise.spec import Spec

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
    backbone: str,
    encoder_weights: str | None,
    encoder_freeze: bool | int,
    classes: int | None,
    batchnorm_momentum: float | None,
    size_step: int,
    **options: Any,
) -> keras.Model:
    """Build a network of segmentation-models between raw images and class probabilities.

    Args:
        architecture: Its class in segmentation-models.
        input_spec: Images as the dataset gives them, uint8 or uint16.
        target_spec: Masks of class ids; one class means yes/no.
        backbone: Name of the encoder in segmentation-models.
        encoder_weights: None (random), `imagenet` (downloaded once) or an HDF5 file.
        encoder_freeze: Keep the encoder as it is, BatchNormalization included: True for the whole
            run, a number for that many epochs.
        classes: Number of classes; None takes it from `target_spec`, any other must agree with it.
        batchnorm_momentum: Of every BatchNormalization, the decoder's too. The backbones' own
            (None) is 0.99 or 0.999, and takes hundreds of steps to forget the random start; 0.9
            takes dozens.
        size_step: Height and width must be multiples of it.
        options: Further arguments of the architecture.

    Returns:
        Uncompiled model: (batch, height, width, channels) raw to (batch, height, width, classes)
        float32, 0 to 1. Its attribute `release_epoch` is the number of epochs after which a
        frozen encoder is released, or None.

    Raises:
        UserError: sizes, channels, classes or weights do not fit.
    """
    name = architecture.lower()
    require_mask(target_spec, classes)
    require_images(name, backbone, input_spec, size_step, encoder_weights)
    num_classes, weights = len(target_spec.classes), find_weights(encoder_weights)
    build = getattr(_segmentation_models(), architecture)
    with loading_weights(encoder_weights, backbone):
        network = build(
            backbone,
            input_shape=(*input_spec.shape[:2], encoder_channels(input_spec)),
            classes=num_classes,
            activation="linear",
            encoder_weights=weights,
            **options,
        )
    frozen = _encoder_layers(network) if encoder_freeze else set()
    network = plain_copy(network, batchnorm_momentum, frozen)
    network.name = name
    images = keras.Input(input_spec.shape, dtype=input_spec.dtype, name="images")
    logits = network(scale_images(images, backbone))
    # float32 under a mixed policy too: bfloat16's 8 bits are too few for the losses.
    activation = "sigmoid" if num_classes == 1 else "softmax"
    head = keras.layers.Activation(activation, dtype="float32", name="probabilities")
    model = keras.Model(images, head(logits), name=f"{name}_{backbone}")
    model.release_epoch = None if isinstance(encoder_freeze, bool) else encoder_freeze
    return model


def scale_images(images: keras.KerasTensor, backbone: str) -> keras.KerasTensor:
    """Bring raw images to the values that the backbone's published weights were trained on.

    Args:
        images: Shape (batch, height, width, channels), uint8 or uint16.
        backbone: A name of segmentation-models.

    Returns:
        Shape (batch, height, width, channels), float32, with three channels for grey.
    """
    families = (mode for family, mode in SCALINGS.items() if backbone.startswith(family))
    mode: Mode = next(families, "raw")
    return to_imagenet(images, mode, 65535.0 if images.dtype == "uint16" else 255.0)


def _segmentation_models() -> ModuleType:
    os.environ["SM_FRAMEWORK"] = "tf.keras"  # its other framework fails on Keras 3
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a line when imported
        import segmentation_models
    return segmentation_models


def _encoder_layers(network: keras.Model) -> set[str]:
    names = [layer.name for layer in network.layers]
    return {name for name in names[:-2] if not name.startswith(DECODER)}


def plain_copy(
    network: keras.Model, batchnorm_momentum: float | None, frozen: Set[str]
) -> keras.Model:
    """Copy a network, weights included, with nothing but Keras's own layers and slices.

    The Lambda layers of segmentation-models and efficientnet's own classes do not load in a process
    that has only Keras. The copy costs one more initialisation of the weights, under a second for
    most backbones.

    Args:
        network: Functional model without nesting.
        batchnorm_momentum: Of every BatchNormalization; None leaves each its own.
        frozen: Names of the layers that are not trained.

    Returns:
        Model with the same layer names, weights and outputs.
    """
    copy = keras.models.clone_model(
        network, clone_function=lambda layer: _plain(layer, batchnorm_momentum)
    )
    # By name, since a layer that was replaced by two can change the order of the others.
    for layer in network.layers:
        if layer.weights:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    for layer in copy.layers:
        layer.trainable = layer.name not in frozen
    return copy


def _plain(layer: keras.Layer, batchnorm_momentum: float | None) -> Any:
    config = layer.get_config()
    if isinstance(layer, keras.layers.Lambda):
        return _without_lambda(layer)
    if type(layer).__name__ == "FixedDropout":  # efficientnet's; Keras's own has long done the same
        return keras.layers.Dropout.from_config(config)
    if isinstance(layer, keras.layers.BatchNormalization) and batchnorm_momentum is not None:
        config["momentum"] = batchnorm_momentum
    if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "bilinear":
        config["dtype"] = "float32"  # XLA fails on the gradient of a bfloat16 resize
    if getattr(getattr(layer, "activation", None), "__name__", "") == "swish":
        config["activation"] = "silu"
    return type(layer).from_config(config)


def _without_lambda(layer: keras.layers.Lambda) -> Any:
    arguments = layer.arguments
    # Each form takes, and leaves, the mask that a Lambda is called with.
    if set(arguments) == {"start", "stop", "axis"}:  # one group of a grouped convolution
        return lambda x, **_: x[..., arguments["start"] : arguments["stop"]]
    if set(arguments) == {"channels_axis"}:  # squeeze and excitation
        reshape = keras.layers.Reshape((1, 1, layer.output.shape[-1]), name=layer.name)
        return lambda x, **_: reshape(x)
    if set(arguments) == {"scale"}:  # residual of InceptionResNetV2
        residual = keras.layers.Rescaling(arguments["scale"], name=f"{layer.name}_scale")
        add = keras.layers.Add(name=layer.name)
        return lambda pair, **_: add([pair[0], residual(pair[1])])
    raise NotImplementedError(f"Lambda layer {layer.name} with {arguments} has no plain form")
