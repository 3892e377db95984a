"""Dense layers on a vector, such as a row of a table; also on a sequence of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Interval

from reprise.models.requirements import require_target, require_vector
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras


def build(
    input_spec: Spec,
    target_spec: Spec,
    *,
    units: Sequence[Annotated[int, Ge(1)]] = (64, 64),
    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu",
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
) -> "keras.Model":
    """Build a multi-layer perceptron.

    Args:
        input_spec: A vector (n,), any other known shape, which is flattened, or sequences (None, n)
            of vectors: each step goes through the layers alone, and the mean of the real ones is
            answered for. A step that is 0 throughout counts as padding.
        target_spec: One class, several labels, or values; see `add_head` for the output.
        units: Width of each hidden layer.
        activation: Of every hidden layer.
        dropout: Share of each hidden layer's output that is dropped in training.

    Raises:
        UserError: sizes are unknown that must be known, or the target is a mask.
    """
    import keras

    from reprise.models.layers import add_head, dropped, scale

    require_vector("mlp", input_spec)
    require_target("mlp", target_spec)
    inputs = keras.Input(input_spec.shape, dtype=input_spec.dtype, name="inputs")
    is_sequence = None in input_spec.shape
    x = scale(inputs, input_spec)
    if not is_sequence:
        x = keras.layers.Reshape((-1,))(x) if not input_spec.shape else keras.layers.Flatten()(x)
    for width in units:
        x = keras.layers.Dense(width, activation=activation)(x)
        x = dropped(x, dropout)
    if is_sequence:
        x = _mean_of_real_steps(x, inputs)
    return keras.Model(inputs, add_head(x, target_spec), name="mlp")


def _mean_of_real_steps(x: "keras.KerasTensor", inputs: "keras.KerasTensor") -> "keras.KerasTensor":
    """Mean over the steps, (batch, steps, n) to (batch, n); 0 where all of them are padding."""
    from keras import ops

    is_real = ops.cast(ops.any(ops.not_equal(inputs, 0), axis=-1, keepdims=True), "float32")
    total = ops.sum(ops.cast(x, "float32") * is_real, axis=1)
    return total / ops.maximum(ops.sum(is_real, axis=1), 1.0)
