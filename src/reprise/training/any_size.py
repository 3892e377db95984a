"""Fully convolutional models that take pictures of any size, though trained at one."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import keras

_STEP = 64  # pixels; the strides of all shipped networks together divide it


def of_any_size(model: keras.Model) -> keras.Model | None:
    """Copy a model, its weights included, with height and width left open.

    Args:
        model: From pictures, (batch, height, width, channels), to an answer for each pixel.

    Returns:
        The same layers and weights for (batch, any, any, channels), not compiled; None where the
        answer has another size than the picture, or a layer depends on it. Which heights and widths
        go through the strides of the network shows when it is called.
    """
    if not _is_picture_to_picture(model):
        return None
    state = random.getstate()  # new layers draw seeds, which training must not notice
    try:
        with _open_inputs(model):
            config = keras.saving.serialize_keras_object(model)
        config.pop("compile_config", None)
        copy = keras.saving.deserialize_keras_object(config)
        height, width, channels = model.input_shape[1:]
        other = tuple(
            side % _STEP + (_STEP if side % _STEP + _STEP != side else 2 * _STEP)
            for side in (height, width)
        )
        picture = keras.ops.zeros((1, *other, channels), model.inputs[0].dtype)
        if tuple(copy(picture, training=False).shape[1:3]) != other:
            return None
        copy.set_weights(model.get_weights())
    except Exception:  # a user's layers may raise anything over a size that is not known
        return None
    finally:
        random.setstate(state)
    return copy


@contextmanager
def saved_for_any_size(model: keras.Model, free: bool) -> Iterator[None]:
    """Have `model.save` leave height and width open, if `free`: `of_any_size` has a copy."""
    if not free:
        yield
        return
    with _open_inputs(model):
        yield


def _is_picture_to_picture(model: Any) -> bool:
    with suppress(AttributeError, ValueError, TypeError):  # a model without a graph, or of a list
        shapes = tuple(model.input_shape), tuple(model.output_shape)
        if [len(shape) for shape in shapes] == [4, 4]:
            return None not in shapes[0][1:] and shapes[0][1:3] == shapes[1][1:3]
    return False


@contextmanager
def _open_inputs(model: keras.Model) -> Iterator[None]:
    """Have the inputs of a model, and of those in it, say that height and width are open."""
    inputs = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.InputLayer) and len(layer.batch_shape) == 4
    ]
    shapes = [layer.batch_shape for layer in inputs]
    try:
        for layer, shape in zip(inputs, shapes, strict=True):
            layer._batch_shape = (shape[0], None, None, shape[3])
        yield
    finally:
        for layer, shape in zip(inputs, shapes, strict=True):
            layer._batch_shape = shape
