"""The settings of tracking, as conf/tracking/ writes them."""

import os
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from reprise.project import ROOT


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Where runs are recorded, and what is kept of a finished one.

    Args:
        uri: Address of the tracking store; None means MLFLOW_TRACKING_URI, or a local database.
        experiment: Name of the MLflow experiment; None means that of the experiment file.
        runs: Folder of the runs' own folders, relative to the project.
        keep: What a finished run keeps beside its numbers and pictures: `all` is the best model and
            the training state to extend it from, `best` the best model alone, `none` neither.
        upload_checkpoints: Also record the file of the best model as an artifact; the same model is
            in the artifact `model`.
        system_metrics: Seconds between two looks at the use of CPU, memory, disk and GPUs; None: no
            look.
    """

    uri: str | None = None
    experiment: str | None = None
    runs: str = "runs"
    keep: Literal["all", "best", "none"] = "all"
    upload_checkpoints: bool = False
    system_metrics: Annotated[float, Ge(1)] | None = None


def tracking_uri(uri: str | None) -> str:
    """The configured address, else MLFLOW_TRACKING_URI, else a database here; absolute."""
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    prefix, path = chosen[:10], chosen[10:]
    if prefix == "sqlite:///" and not path.startswith("/"):
        return f"sqlite:///{ROOT / path}"
    return chosen
