"""Layers that several architectures share: from raw inputs to about 1, and the last layers."""

import math
from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np

from reprise.spec import Spec

Mode = Literal["caffe", "tf", "torch", "raw"]
# ImageNet's mean and deviation in RGB for values 0 to 1, and its mean in BGR for 0 to 255.
TORCH_MEAN, TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)


def scale(inputs: keras.KerasTensor, spec: Spec) -> keras.KerasTensor:
    """Bring raw inputs to about 1: (value - offset) / scale, as `spec` has learned them.

    Args:
        inputs: As the dataset gives them, any dtype.
        spec: Without `scale`, unsigned integers are divided by their dtype's largest value and
            everything else is taken as it is.

    Returns:
        The same shape, float32 under every policy.
    """
    kind = np.dtype(spec.dtype)
    one = spec.scale or (float(np.iinfo(kind).max) if kind.kind == "u" else 1.0,)
    if any(spec.offset):
        # A layer of its own: of large values that differ little, x * a + b would lose the digits.
        shift = _one_or_each([-value for value in spec.offset])
        inputs = keras.layers.Rescaling(1.0, shift, dtype="float32", name="shift")(inputs)
    factor = _one_or_each([1.0 / value for value in one])
    return keras.layers.Rescaling(factor, dtype="float32", name="scaling")(inputs)


def unscale(outputs: keras.KerasTensor, spec: Spec) -> keras.KerasTensor:
    """Bring a linear output of about 1 to the unit of the target: output * scale + offset."""
    if not spec.scale and not spec.offset:
        return outputs
    factor, shift = _one_or_each(spec.scale or (1.0,)), _one_or_each(spec.offset or (0.0,))
    return keras.layers.Rescaling(factor, shift, dtype="float32", name="unscaling")(outputs)


def _one_or_each(values: Sequence[float]) -> float | list[float]:
    """One number for all, or a list with one for each entry of the last axis."""
    numbers = [float(value) for value in values]
    return numbers[0] if len(numbers) == 1 else numbers


def to_imagenet(images: keras.KerasTensor, mode: Mode, white: float) -> keras.KerasTensor:
    """Bring images to the values that published ImageNet weights were trained on.

    Args:
        images: Shape (batch, height, width, channels), any dtype: grey, RGB, or any other bands,
            for which 'caffe' and 'torch' are 'tf'.
        mode: 'caffe': BGR 0 to 255 less its mean. 'tf': RGB -1 to 1. 'torch': RGB less its mean,
            over its deviation. 'raw': RGB 0 to 255.
        white: The value of white in `images`; black is 0.

    Returns:
        Shape (batch, height, width, channels), with three channels for grey; float32 under every
        policy, bfloat16 having 8 bits; made of plain Keras layers and slices only.

    Source: `preprocess_input` of keras.applications, the modes of the same names.
    """
    to_255 = 255 / white
    if images.shape[-1] == 1:
        images = keras.layers.Concatenate(name="grey_to_rgb")([images, images, images])
    channels = images.shape[-1]
    factor, offset = [to_255] * channels, [0.0] * channels
    if channels != 3 and mode != "raw":
        mode = "tf"
    if mode == "caffe":
        images = images[..., ::-1]  # RGB to BGR
        offset = [-mean for mean in CAFFE_MEAN]
    elif mode == "tf":
        factor, offset = [to_255 / 127.5] * channels, [-1.0] * channels
    elif mode == "torch":
        factor = [to_255 / (255 * deviation) for deviation in TORCH_DEVIATION]
        offset = [-m / d for m, d in zip(TORCH_MEAN, TORCH_DEVIATION, strict=True)]
    return keras.layers.Rescaling(factor, offset, dtype="float32", name="to_imagenet")(images)


def encoder_channels(spec: Spec) -> int:
    """Channels that `to_imagenet` gives for images of this spec."""
    return 3 if spec.shape[2] == 1 else spec.shape[2]


def add_head(
    features: keras.KerasTensor,
    target_spec: Spec,
    units: Sequence[int] = (),
    dropout: float = 0.0,
) -> keras.KerasTensor:
    """Add the last layers: probabilities of classes or labels, or values in the user's unit.

    Args:
        features: Shape (batch, n).
        target_spec: One class, several labels, or values of any known shape.
        units: Width of each dense layer (ReLU) before the answer.
        dropout: Share dropped in training just before the answer.

    Returns:
        float32 under every policy (bfloat16 has 8 bits). One class: (batch, classes), softmax.
        Labels: (batch, classes), a sigmoid each. Values: (batch, *shape), linear.
    """
    for width in units:
        features = keras.layers.Dense(width, activation="relu")(features)
    features = dropped(features, dropout)
    if target_spec.kind == "values":
        size = math.prod(target_spec.shape)
        linear = keras.layers.Dense(size, dtype="float32", name="linear")(features)
        return unscale(keras.layers.Reshape(target_spec.shape, name="values")(linear), target_spec)
    size = len(target_spec.classes)
    logits = keras.layers.Dense(size, dtype="float32", name="logits")(features)
    activation = "softmax" if target_spec.kind == "class" else "sigmoid"
    return keras.layers.Activation(activation, dtype="float32", name="probabilities")(logits)


def dropped(x: keras.KerasTensor, rate: float) -> keras.KerasTensor:
    """Drop a share in training; at 0 there is no layer, and no random state to keep."""
    return keras.layers.Dropout(rate)(x) if rate else x
