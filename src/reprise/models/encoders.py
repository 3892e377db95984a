"""Pretrained encoders: the types of their settings, and the weights they start from."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from reprise.errors import UserError
from reprise.project import ROOT

# The names of segmentation-models, without its DenseNets: Keras 3 refuses the `/` in the names of
# their layers.
Backbone = Literal[
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50", "resnext101",
    "seresnet18", "seresnet34", "seresnet50", "seresnet101", "seresnet152", "seresnext50",
    "seresnext101", "senet154", "vgg16", "vgg19", "inceptionv3", "inceptionresnetv2",
    "mobilenet", "mobilenetv2", "efficientnetb0", "efficientnetb1", "efficientnetb2",
    "efficientnetb3", "efficientnetb4", "efficientnetb5", "efficientnetb6", "efficientnetb7",
]  # fmt: skip
Weights = Literal["imagenet"] | Annotated[str, "file"] | None
Freeze = bool | Annotated[int, Ge(1)]
Momentum = Annotated[float, Interval(gt=0, lt=1)] | None

DOWNLOAD_TIMEOUT_S = 20.0


def find_weights(encoder_weights: str | None) -> str | None:
    """Check an encoder's weights, and find their file.

    Returns:
        None and "imagenet" as they are, a file as its path seen from the project's folder.

    Raises:
        UserError: the file is missing, has another format, or a name that Keras refuses.
    """
    if encoder_weights is None or encoder_weights == "imagenet":
        return encoder_weights
    import h5py

    path = ROOT / encoder_weights
    if not path.is_file():
        received = "no such file" if not path.exists() else "not a file"
    elif not h5py.is_hdf5(path):
        received = f"a file of {path.stat().st_size} bytes that is not HDF5"
    elif path.suffix not in (".h5", ".hdf5"):
        received = f"an HDF5 file whose name ends in {path.suffix or 'nothing'}"
    else:
        return str(path)
    raise UserError(
        f"model.encoder_weights={encoder_weights}: the weights cannot be read",
        expected="null, imagenet, or an HDF5 file with a name in .h5 (Keras 2's layout, as "
        "published) or .weights.h5 (Keras 3's)",
        received=received,
        remedy="set model.encoder_weights to such a file, or to null for random weights",
    )


@contextlib.contextmanager
def loading_weights(encoder_weights: str | None, backbone: str) -> Iterator[None]:
    """Turn errors raised while an encoder's weights load into a UserError; limit the download.

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
        received = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        if encoder_weights == "imagenet":
            raise UserError(
                f"model.encoder_weights=imagenet: the weights of {backbone} could not be had",
                expected="the network, the first time; afterwards they lie in ~/.keras/models",
                received=received,
                remedy="fetch that file on a machine with a network and set "
                "model.encoder_weights=PATH, or train from random weights: "
                "model.encoder_weights=null",
            ) from error
        raise UserError(
            f"model.encoder_weights={encoder_weights}: they do not fit model.backbone={backbone}",
            expected=f"the encoder of {backbone} alone, without its classification layers "
            "(published as `notop` or `no_top`)",
            received=received,
            remedy="give the file that belongs to this backbone, or set model.backbone to the "
            "file's own; a file in Keras 2's layout must not end in .weights.h5",
        ) from error
    finally:
        socket.setdefaulttimeout(before)
