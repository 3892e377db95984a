"""Which run of a tracking store is ours: found by its tag, and made only where there is none."""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from reprise.tracking.delivered import Delivered, delivered, delivering, write_delivered
from reprise.tracking.journal import entries
from reprise.tracking.store import experiment_id

RUN_TAG = "reprise.run"  # the name of the run's folder; MLflow lets nobody choose its own id


def identified(folder: Path, client: MlflowClient, uri: str) -> Delivered | None:
    """Find or make a run in the store; None where its journal has not begun.

    Only for who holds `delivering(folder)`: two at once would make two.
    """
    known = delivered(folder)
    if known is not None and known.uri == uri:
        return known
    start = next(entries(folder, "start"), None)
    if start is None:
        return None
    experiment = experiment_id(client, start["experiment"])
    there = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{folder.name}'", max_results=1)
    if there:
        mlflow_id = there[0].info.run_id
    else:
        tags = {MLFLOW_RUN_NAME: start["name"], RUN_TAG: folder.name}
        mlflow_id = client.create_run(experiment, start["at"], tags).info.run_id
    found = Delivered(uri, mlflow_id, 0)
    write_delivered(folder, found)
    return found


def mlflow_id_of(run: str, runs: Path, client: MlflowClient, uri: str) -> str | None:
    """MLflow's id of the run of this name under `runs`; None where there is no such run."""
    folder = next(runs.glob(f"*/{run}"), None)
    if folder is None:
        return None
    with delivering(folder):
        found = identified(folder, client, uri)
    return found.mlflow_id if found else None
