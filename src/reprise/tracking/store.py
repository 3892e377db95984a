"""Where runs are kept: a local database by default, any MLflow server by address."""

import fcntl
import logging
import os
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from reprise.project import ROOT
from reprise.tracking.view import results_view

# What the experiment is for. Which pages the UI opens on, it remembers itself since release 3.17.
KIND = {"mlflow.experimentKind": "custom_model_development"}


def tracking_uri(uri: str | None) -> str:
    """The configured address, else MLFLOW_TRACKING_URI, else a database here; absolute."""
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    prefix, path = chosen[:10], chosen[10:]
    if prefix == "sqlite:///" and not path.startswith("/"):
        return f"sqlite:///{ROOT / path}"
    return chosen


def make_database(uri: str) -> None:
    """Let a local database that is not there yet come into being in one step.

    MLflow makes its tables one by one, for seconds; where it is killed meanwhile, or two processes
    do so at once, it leaves a database that nothing opens any more.
    """
    path = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if path.exists():  # another process was quicker
            return
        partial = path.with_name(f".partial-{path.name}")
        partial.unlink(missing_ok=True)
        MlflowClient(f"sqlite:///{partial}").search_experiments()
        partial.rename(path)
    finally:
        os.close(folder)


def experiment_id(client: MlflowClient, name: str) -> str:
    """Id of the experiment of this name, which is made where it is missing."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(
                name, _artifact_location(client, name), KIND | results_view()
            )
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
    """Keep the libraries' notes about their own work out of the user's terminal."""
    for name in ("alembic", "mlflow.utils.autologging_utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db").setLevel(logging.CRITICAL)  # it raises what it logs
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # of each new attempt
