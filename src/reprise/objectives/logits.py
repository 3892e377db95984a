"""The logits behind a model's answer, so that what is wrong with certainty has a gradient.

TensorFlow's tensors remember what a softmax or sigmoid made them from, and Keras's cross entropy
finds it there. JAX's cannot: Keras clips the probability to 1e-7, where the gradient is 0.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import keras
from keras import activations

Tensor = Any  # of the backend that Keras runs on

_latest: list[Tensor] = [None, None]  # probabilities and logits of the call under way


def keep_logits(model: keras.Model) -> None:
    """Have the model's last activation keep the logits of its latest call, on JAX.

    Args:
        model: A functional one; its configuration and its file stay as they are.
    """
    layer: Any = model
    while isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        layer = layer.outputs[0]._keras_history.operation
    activation = getattr(layer, "activation", None)
    if keras.backend.backend() == "jax" and activation in (
        activations.softmax,
        activations.sigmoid,
    ):
        layer.activation = _keeping(activation)


def _keeping(activation: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    @wraps(activation)  # whose name Keras saves
    def keeping(logits: Tensor) -> Tensor:
        _latest[:] = activation(logits), logits
        return _latest[0]

    return keeping


def logits_of(probabilities: Tensor) -> tuple[Tensor, bool]:
    """What a cross entropy of `keras.ops` takes: logits and True where they were kept."""
    if _latest[0] is not None and _latest[0] is probabilities:
        return _latest[1], True
    return probabilities, False
