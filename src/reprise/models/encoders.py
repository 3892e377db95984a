"""What a pretrained encoder asks for: images scaled its own way, and its weights in a file."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import h5py
import keras

from reprise.errors import UserError

DOWNLOAD_TIMEOUT_S = 20.0

# How each family's published weights were trained. Backbones that are not here (ResNet, ResNeXt,
# SE-ResNet 18 and 34) take the raw values 0 to 255: they begin with a BatchNormalization.
SCALINGS: dict[str, Literal["caffe", "tf", "torch"]] = {
    "vgg": "caffe",
    "mobilenet": "tf",
    "inception": "tf",
    "efficientnet": "torch",
    "seresnet50": "torch",
    "seresnet101": "torch",
    "seresnet152": "torch",
    "seresnext": "torch",
    "senet": "torch",
}
# ImageNet's mean and deviation in RGB for values 0 to 1, and its mean in BGR for 0 to 255.
TORCH_MEAN, TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)


def scale_images(images: keras.KerasTensor, backbone: str) -> keras.KerasTensor:
    """Bring raw images to the values that the backbone's published weights were trained on.

    Args:
        images: Grey or RGB, shape (batch, height, width, 1 or 3), uint8 or uint16.
        backbone: A name of segmentation-models.

    Returns:
        Shape (batch, height, width, 3), float32; made of plain Keras layers and slices only.

    Source: `preprocess_input` of keras-applications, the modes `caffe`, `tf` and `torch`.
    """
    # 65535 / 257 is 255. In float32 whatever the precision of the rest: bfloat16 has 8 bits.
    to_255 = 1 / 257 if images.dtype == "uint16" else 1.0
    if images.shape[-1] == 1:
        images = keras.layers.Concatenate(name="grey_to_rgb")([images, images, images])
    scaling = next((SCALINGS[family] for family in SCALINGS if backbone.startswith(family)), None)
    scale, offset = [to_255] * 3, [0.0] * 3
    if scaling == "caffe":
        images = images[..., ::-1]  # RGB to BGR
        offset = [-mean for mean in CAFFE_MEAN]
    elif scaling == "tf":
        scale, offset = [to_255 / 127.5] * 3, [-1.0] * 3
    elif scaling == "torch":
        scale = [to_255 / (255 * deviation) for deviation in TORCH_DEVIATION]
        offset = [-m / d for m, d in zip(TORCH_MEAN, TORCH_DEVIATION, strict=True)]
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="scaling")(images)


def check_weights_file(encoder_weights: str) -> None:
    """Refuse a weights file that is missing or is not HDF5.

    Raises:
        UserError: the file is missing, has another format, or a name that Keras refuses.
    """
    path = Path(encoder_weights)
    if not path.is_file():
        received = "no such file" if not path.exists() else "not a file"
    elif not h5py.is_hdf5(path):
        received = f"a file of {path.stat().st_size} bytes that is not HDF5"
    elif path.suffix not in (".h5", ".hdf5"):
        received = f"an HDF5 file whose name ends in {path.suffix or 'nothing'}"
    else:
        return
    raise UserError(
        f"model.encoder_weights={encoder_weights}: the weights cannot be read",
        expected="null, imagenet, or an HDF5 file with a name in .h5 (Keras 2's layout, as "
        "published) or .weights.h5 (Keras 3's)",
        received=received,
        remedy="set model.encoder_weights to such a file, or to null for random weights",
    )


@contextlib.contextmanager
def loading(encoder_weights: str | None, backbone: str) -> Iterator[None]:
    """Turn what goes wrong while the encoder's weights load into a UserError.

    Args:
        encoder_weights: None lets every error pass as it is.
        backbone: Named in the message.
    """
    if encoder_weights is None:
        yield
        return
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)
    try:
        yield
    except Exception as error:  # Keras raises a bare Exception when a download fails
        if encoder_weights == "imagenet":
            raise _not_downloaded(backbone, error) from error
        raise _not_fitting(encoder_weights, backbone, error) from error
    finally:
        socket.setdefaulttimeout(before)


def _not_downloaded(backbone: str, error: Exception) -> UserError:
    return UserError(
        f"model.encoder_weights=imagenet: the weights of {backbone} could not be had",
        expected="the network, the first time; afterwards they lie in ~/.keras/models",
        received=_first_line(error),
        remedy="fetch that file on a machine with a network and set "
        "model.encoder_weights=PATH, or train from random weights: model.encoder_weights=null",
    )


def _not_fitting(encoder_weights: str, backbone: str, error: Exception) -> UserError:
    return UserError(
        f"model.encoder_weights={encoder_weights}: they do not fit model.backbone={backbone}",
        expected=f"the encoder of {backbone} alone, without its classification layers "
        "(published as `notop` or `no_top`)",
        received=_first_line(error),
        remedy="give the file that belongs to this backbone, or set model.backbone to the "
        "file's own; a file in Keras 2's layout must not end in .weights.h5",
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:300] if text else type(error).__name__
