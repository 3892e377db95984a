"""A convolutional autoencoder: a matrix squeezed and rebuilt, without its noise."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Interval, Len

from reprise.models.requirements import require_same_picture
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras


def build(
    input_spec: Spec,
    target_spec: Spec,
    *,
    filters: Annotated[Sequence[Annotated[int, Ge(1)]], Len(1)] = (16, 8),
    kernel_size: Annotated[int, Ge(1)] = 3,
    batchnorm_momentum: Annotated[float, Interval(gt=0, lt=1)] | None = None,
) -> "keras.Model":
    """Build an autoencoder for matrices or pictures, (height, width, channels) of any size.

    Args:
        input_spec: uint8, uint16 or floats; scaled inside.
        target_spec: Values of the same height and width, answered in their own unit.
        filters: Channels of each halving; the way back has the same in reverse.
        kernel_size: Height and width of a convolution.
        batchnorm_momentum: Of the BatchNormalization after every convolution; None: there is none.

    Raises:
        UserError: input and target are not matrices of one size.

    Source: the denoising autoencoder of TensorFlow's tutorial on autoencoders, with a linear output
    instead of its sigmoid, whose range is 0 to 1.
    """
    import keras

    from reprise.models.layers import scale, unscale

    require_same_picture("autoencoder", input_spec, target_spec)
    height, width = input_spec.shape[:2]
    step = 2 ** len(filters)
    margin = ((0, -height % step), (0, -width % step))
    inputs = keras.Input(input_spec.shape, dtype=input_spec.dtype, name="inputs")
    # Odd sizes do not come back from a halving: made even here, and cut again at the end.
    x = keras.layers.ZeroPadding2D(margin)(scale(inputs, input_spec))
    options = {"kernel_size": kernel_size, "padding": "same"}
    for count in filters:
        x = _activated(keras.layers.Conv2D(count, strides=2, **options)(x), batchnorm_momentum)
    for count in reversed(filters):
        x = keras.layers.Conv2DTranspose(count, strides=2, **options)(x)
        x = _activated(x, batchnorm_momentum)
    x = keras.layers.Cropping2D(margin)(x)
    channels = target_spec.shape[-1]
    linear = keras.layers.Conv2D(channels, dtype="float32", name="linear", **options)
    return keras.Model(inputs, unscale(linear(x), target_spec), name="autoencoder")


def _activated(x: "keras.KerasTensor", momentum: float | None) -> "keras.KerasTensor":
    import keras

    if momentum is not None:
        x = keras.layers.BatchNormalization(momentum=momentum)(x)
    return keras.layers.ReLU()(x)
