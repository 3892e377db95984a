"""The trained model in MLflow's own format, which any MLflow tool can load and serve."""

import shutil
from importlib.metadata import version
from pathlib import Path

import keras
import mlflow.keras
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from reprise.tracking.run import Run

NAME = "model"


def save_model(run: Run, model: keras.Model) -> Path:
    """Write `model`, uncompiled and with its signature, as the run's artifact `model`.

    It loads in a fresh process with `mlflow.pyfunc.load_model('runs:/<MLflow id>/model')`.
    """
    folder = run.folder / NAME
    shutil.rmtree(folder, ignore_errors=True)
    requirements = [f"{name}=={version(name)}" for name in ("tensorflow", "keras", "numpy")]
    mlflow.keras.save_model(
        model, str(folder), signature=_signature(model), pip_requirements=requirements
    )
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
