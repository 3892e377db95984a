"""The last layers of a model that answers for a sample as a whole, chosen by the target."""

import math
from collections.abc import Sequence

import keras

from reprise.models.scaling import unscale
from reprise.spec import Spec


def add_head(
    features: keras.KerasTensor,
    target_spec: Spec,
    units: Sequence[int] = (),
    dropout: float = 0.0,
) -> keras.KerasTensor:
    """Answer for each sample: probabilities of classes or labels, or values in the user's unit.

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
