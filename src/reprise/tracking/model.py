"""The trained model in MLflow's format, which any MLflow tool can load and serve."""

import shutil
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import keras
import mlflow.keras
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from reprise.files import replacing
from reprise.tracking.run import Run

NAME = "model"


def save_model(run: Run, model: keras.Model, best: Path | None = None) -> Path:
    """Write `model`, uncompiled and with its signature, as the run's artifact `model`.

    It loads in a fresh process with `mlflow.pyfunc.load_model('runs:/<MLflow id>/model')`.

    Args:
        run: Where to write.
        model: Uncompiled.
        best: File of the same model in Keras's format, hard-linked where the file system has links.

    Returns:
        The artifact's folder.
    """
    folder = run.folder / NAME
    shutil.rmtree(folder, ignore_errors=True)
    needed = (keras.backend.backend(), "keras", "numpy")
    requirements = [f"{name}=={version(name)}" for name in needed]
    mlflow.keras.save_model(
        model, str(folder), signature=_signature(model), pip_requirements=requirements
    )
    if best is not None:
        with suppress(OSError), replacing(folder / "data/model.keras") as partial:
            partial.hardlink_to(best)
    run.artifact(folder)
    return folder


def _signature(model: keras.Model) -> ModelSignature:
    """Names, shapes and dtypes of what goes in and comes out; -1 is the batch axis."""
    return ModelSignature(
        inputs=Schema([_tensor(tensor) for tensor in model.inputs]),
        outputs=Schema([_tensor(tensor) for tensor in model.outputs]),
    )


def _tensor(tensor: keras.KerasTensor) -> TensorSpec:
    shape = tuple(-1 if size is None else size for size in tensor.shape)
    return TensorSpec(np.dtype(tensor.dtype), shape)
