"""A plain convolutional network: blocks that halve the picture, then one answer per sample."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Interval, Len

from reprise.models.requirements import require_picture, require_size, require_target
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras


def build(
    input_spec: Spec,
    target_spec: Spec,
    *,
    filters: Annotated[Sequence[Annotated[int, Ge(1)]], Len(1)] = (32, 64, 128),
    convolutions: Annotated[int, Ge(1)] = 1,
    kernel_size: Annotated[int, Ge(1)] = 3,
    batchnorm_momentum: Annotated[float, Interval(gt=0, lt=1)] | None = 0.9,
    block_dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
    top: Literal["average", "flatten"] = "average",
    units: Sequence[Annotated[int, Ge(1)]] = (128,),
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.25,
) -> "keras.Model":
    """Build a CNN for pictures, spectrograms or matrices, (height, width, channels) of any number.

    Args:
        input_spec: uint8, uint16 or floats; scaled inside.
        target_spec: One class, several labels, or values.
        filters: Channels of each block, which halves height and width: n need 2^n pixels.
        convolutions: Convolutions in a block before it is halved.
        kernel_size: Height and width of a convolution.
        batchnorm_momentum: Of the BatchNormalization after every convolution; None: there is none.
            Keras's own 0.99 forgets the random start too slowly for a short run.
        block_dropout: Share of a block's output that is dropped in training.
        top: 'average' over the last features; 'flatten' keeps their positions, and needs many
            weights.
        units, dropout: As in `add_head`.

    Raises:
        UserError: the input is no picture, or too small, or the target a mask.
    """
    import keras

    from reprise.models.layers import add_head, dropped, scale

    _check(input_spec, target_spec, len(filters))
    inputs = keras.Input(input_spec.shape, dtype=input_spec.dtype, name="inputs")
    x = scale(inputs, input_spec)
    for count in filters:
        for _ in range(convolutions):
            x = _convolution(x, count, kernel_size, batchnorm_momentum)
        x = dropped(keras.layers.MaxPooling2D()(x), block_dropout)
    is_average = top == "average"
    x = keras.layers.GlobalAveragePooling2D()(x) if is_average else keras.layers.Flatten()(x)
    return keras.Model(inputs, add_head(x, target_spec, units, dropout), name="cnn")


def _check(spec: Spec, target_spec: Spec, blocks: int) -> None:
    require_picture("cnn", spec)
    fits = min(spec.shape[:2]).bit_length() - 1  # halvings until one pixel is left
    remedy = f"set model.filters to {max(1, fits)} of its {blocks} blocks"
    require_size("cnn", spec, 2**blocks, f"model.filters has {blocks} blocks", remedy)
    require_target("cnn", target_spec)


def _convolution(
    x: "keras.KerasTensor", filters: int, kernel_size: int, momentum: float | None
) -> "keras.KerasTensor":
    import keras

    is_normalised = momentum is not None
    x = keras.layers.Conv2D(filters, kernel_size, padding="same", use_bias=not is_normalised)(x)
    if is_normalised:
        x = keras.layers.BatchNormalization(momentum=momentum)(x)
    return keras.layers.ReLU()(x)
