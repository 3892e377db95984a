"""Where runs are kept: a local database by default, any MLflow server by address."""

import logging
import os
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from reprise.project import ROOT

# the UI asks this tag whether to open on training runs or on its pages for language models
KIND = {"mlflow.experimentKind": "custom_model_development"}


def tracking_uri(uri: str | None) -> str:
    """The configured address, else MLFLOW_TRACKING_URI, else a database here; absolute."""
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    prefix, path = chosen[:10], chosen[10:]
    if prefix == "sqlite:///" and not path.startswith("/"):
        return f"sqlite:///{ROOT / path}"
    return chosen


def experiment_id(client: MlflowClient, name: str) -> str:
    """Id of the experiment of this name, which is made where it is missing."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name, _artifact_location(client, name), tags=KIND)
        except MlflowException:  # another process was quicker
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id


def _artifact_location(client: MlflowClient, name: str) -> str | None:
    """Beside a local database; a server decides for itself."""
    uri = client.tracking_uri
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts" / name).as_uri()


def quiet() -> None:
    """Keep the libraries' notes about their own database out of the user's terminal."""
    for name in ("alembic", "mlflow.store.db", "mlflow.utils.autologging_utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
