"""Any network of keras.applications as the body of a classifier or a regressor."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Interval

from reprise.models.encoders import Freeze, Momentum, Weights, find_weights, loading_weights
from reprise.models.requirements import (
    require_colours,
    require_picture,
    require_size,
    require_target,
)
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras

    from reprise.models.layers import Mode

Backbone = Literal[
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge",
    "DenseNet121", "DenseNet169", "DenseNet201", "EfficientNetB0", "EfficientNetB1",
    "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5", "EfficientNetB6",
    "EfficientNetB7", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2",
    "EfficientNetV2B3", "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S",
    "InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large",
    "MobileNetV3Small", "NASNetLarge", "NASNetMobile", "ResNet50", "ResNet50V2", "ResNet101",
    "ResNet101V2", "ResNet152", "ResNet152V2", "VGG16", "VGG19", "Xception",
]  # fmt: skip

# Input scaling of each family's published weights; the first prefix of a name counts. All others
# take 0 to 255. The ResNets V2 take 'tf'.
SCALINGS: dict[str, "Mode"] = {
    "DenseNet": "torch", "Inception": "tf", "MobileNetV3": "raw", "MobileNet": "tf",
    "NASNet": "tf", "ResNet": "caffe", "VGG": "caffe", "Xception": "tf",
}  # fmt: skip
SMALLEST = {"Inception": 75, "Xception": 71}  # pixels; of all others 32


def build(
    input_spec: Spec,
    target_spec: Spec,
    *,
    backbone: Backbone = "MobileNetV2",
    encoder_weights: Weights = None,
    encoder_freeze: Freeze = False,
    batchnorm_momentum: Momentum = 0.9,
    units: Sequence[Annotated[int, Ge(1)]] = (),
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.2,
) -> "keras.Model":
    """Build a network of keras.applications with an average over its last features and a head.

    With small batches the moving statistics of its many BatchNormalizations need some hundred steps
    before evaluation is as good as training.

    Args:
        input_spec: Pictures, integers, or floats that `scale` brings to 0..1; of 1 or 3 channels if
            there are `encoder_weights`.
        target_spec: One class, several labels, or values.
        backbone, encoder_weights, encoder_freeze, batchnorm_momentum: As in
            `segmentation.assemble`, but for Keras's names and all of its networks.
        units, dropout: As in `add_head`.

    Returns:
        Uncompiled model; `release_epoch` is the epoch that releases a frozen backbone, or None.

    Raises:
        UserError: size, channels, target or weights do not fit.
    """
    import keras

    from reprise.models.layers import add_head, encoder_channels, scale, to_imagenet

    _check(input_spec, target_spec, backbone, encoder_weights)
    inputs = keras.Input(input_spec.shape, dtype=input_spec.dtype, name="inputs")
    size = (*input_spec.shape[:2], encoder_channels(input_spec))
    network = _network(backbone, size, encoder_weights, batchnorm_momentum)
    for layer in network.layers:  # one by one, as training/fit.py lets them go
        layer.trainable = not encoder_freeze
    features = network(to_imagenet(scale(inputs, input_spec), _mode(backbone), white=1.0))
    features = keras.layers.GlobalAveragePooling2D()(features)
    answer = add_head(features, target_spec, units, dropout)
    model = keras.Model(inputs, answer, name=f"application_{backbone.lower()}")
    model.release_epoch = None if isinstance(encoder_freeze, bool) else encoder_freeze
    return model


def _check(spec: Spec, target_spec: Spec, backbone: str, encoder_weights: str | None) -> None:
    require_picture("application", spec)
    require_colours("application", spec.shape[2], encoder_weights)
    smallest = next((SMALLEST[family] for family in SMALLEST if backbone.startswith(family)), 32)
    reason = f"{backbone} halves it five times"
    require_size("application", spec, smallest, reason, "choose model=cnn")
    require_target("application", target_spec)


def _network(
    backbone: str, size: tuple[int, ...], encoder_weights: str | None, momentum: float | None
) -> "keras.Model":
    import keras

    make = getattr(keras.applications, backbone)
    weights = find_weights(encoder_weights)
    with loading_weights(encoder_weights, backbone):
        network = make(include_top=False, weights=weights, input_shape=size)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and momentum is not None:
            layer.momentum = momentum
    return network


def _mode(backbone: str) -> "Mode":
    if backbone.startswith("ResNet") and backbone.endswith("V2"):
        return "tf"
    return next((SCALINGS[family] for family in SCALINGS if backbone.startswith(family)), "raw")
