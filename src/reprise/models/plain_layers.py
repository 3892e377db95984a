"""Rewrites a network of segmentation-models into layers that any Keras can load.

Its Lambda layers and efficientnet's own classes do not load in a process that has only Keras. The
copy costs one more initialisation of the weights, under a second for most backbones.
"""

from collections.abc import Set
from typing import Any

import keras


def plain_copy(
    network: keras.Model, batchnorm_momentum: float | None, frozen: Set[str]
) -> keras.Model:
    """Copy a network, weights included, with nothing but Keras's own layers and slices.

    Args:
        network: Functional model without nesting.
        batchnorm_momentum: Of every BatchNormalization; None leaves each its own.
        frozen: Names of the layers that shall not be trained.

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
