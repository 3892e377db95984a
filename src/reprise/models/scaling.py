"""Between the user's own units and numbers around 1, both ways, in float32 in every precision."""

import keras
import numpy as np

from reprise.spec import Spec


def scale(inputs: keras.KerasTensor, spec: Spec) -> keras.KerasTensor:
    """Bring raw inputs to about 1: (value - offset) / scale, as `spec` has learned them.

    Args:
        inputs: As the dataset gives them, any dtype.
        spec: Without `scale`, unsigned integers are divided by their dtype's largest value and
            everything else is taken as it is.

    Returns:
        The same shape, float32.
    """
    one = spec.scale or (_largest(spec.dtype),)
    if any(spec.offset):
        # A layer of its own: of large values that differ little, x * a + b would lose the digits.
        shift = keras.layers.Rescaling(1.0, _each(spec.offset, -1.0), dtype="float32", name="shift")
        inputs = shift(inputs)
    factor = [1.0 / value for value in one]
    return keras.layers.Rescaling(_each(factor, 1.0), dtype="float32", name="scaling")(inputs)


def unscale(outputs: keras.KerasTensor, spec: Spec) -> keras.KerasTensor:
    """Bring a linear output of about 1 back to the unit of the target: output * scale + offset."""
    if not spec.scale and not spec.offset:
        return outputs
    factor, shift = _each(spec.scale or (1.0,), 1.0), _each(spec.offset or (0.0,), 1.0)
    return keras.layers.Rescaling(factor, shift, dtype="float32", name="unscaling")(outputs)


def _each(values: "tuple[float, ...] | list[float]", sign: float) -> "float | list[float]":
    """One number for all, or a list with one for each entry of the last axis."""
    signed = [sign * float(value) for value in values]
    return signed[0] if len(signed) == 1 else signed


def _largest(dtype: str) -> float:
    kind = np.dtype(dtype)
    return float(np.iinfo(kind).max) if kind.kind == "u" else 1.0
