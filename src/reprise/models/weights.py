"""The encoder's weights: where they may come from, and what is said when they do not come."""

import contextlib
import socket
from collections.abc import Iterator

import h5py

from reprise.errors import UserError
from reprise.project import ROOT

DOWNLOAD_TIMEOUT_S = 20.0


def find(encoder_weights: str | None) -> str | None:
    """What segmentation-models is to be given as the encoder's weights.

    Returns:
        None and "imagenet" as they are, a file as its path seen from the project's folder.

    Raises:
        UserError: the file is missing, has another format, or a name that Keras refuses.
    """
    if encoder_weights is None or encoder_weights == "imagenet":
        return encoder_weights
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
