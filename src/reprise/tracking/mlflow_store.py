"""Delivery of journals to an MLflow tracking store: exactly once, however often it is tried.

The only module that talks to the store. Importing MLflow takes seconds, so this module is imported
in the delivery's own thread.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from reprise.files import locked, replacing
from reprise.tracking.folders import folder_named, home
from reprise.tracking.journal import (
    OWN_ID,
    VALUES,
    Delivered,
    Entry,
    delivered,
    entries,
    read,
    write_delivered,
)

RUN_TAG = "reprise.run"  # the name of the run's folder; MLflow chooses its own id by itself
# What the experiment is for. Which pages the UI opens on, it remembers itself since release 3.17.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
SMALL = {"params", "tags", "metrics"}  # kinds of entries that share a call
PERMANENT = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}  # errors that a new attempt does not mend

# The libraries' notes about their own work stay out of the user's terminal.
LOG_LEVELS = {
    "alembic": logging.WARNING,
    "mlflow.utils.autologging_utils": logging.WARNING,
    "mlflow.store.db": logging.CRITICAL,  # it raises what it logs
    "urllib3.connectionpool": logging.ERROR,  # of each new attempt
}
# MLflow's own are 7 retries and 120 s: minutes for what is tried again anyway.
HTTP = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}


def deliver(folder: Path, uri: str, shown: str, say: Callable[[str], None]) -> int:
    """Bring what is outstanding of a run to the tracking store; one thread or process at a time.

    Args:
        folder: The run's folder.
        uri: The store's absolute address.
        shown: The same with its passwords masked.
        say: Called with what the store refuses for good; only the journal has that.

    Returns:
        Number of entries delivered.

    Raises:
        Exception: the store cannot be reached; what was delivered before that is written down.
    """
    for name, level in LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    for name, value in HTTP.items():
        os.environ.setdefault(name, value)
    make_database(uri)
    client = MlflowClient(uri)
    with locked(folder / "delivery.lock"):
        found = _find_or_create(folder, client, shown)
        if found is None:
            return 0
        count = 0
        for batch, end in _batches(folder, found.offset):
            _send(client, found, folder, batch, say)
            write_delivered(folder, replace(found, offset=end))
            count += len(batch)
        return count


def make_database(uri: str) -> None:
    """Create a local database that does not exist yet, in one step.

    MLflow creates its tables one by one, for seconds. Where it is killed meanwhile, or two
    processes do so at once, it leaves a database that cannot be opened any more.
    """
    path = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        if not path.exists():
            with replacing(path) as partial:
                MlflowClient(f"sqlite:///{partial}").search_experiments()


def _find_or_create(folder: Path, client: MlflowClient, shown: str) -> Delivered | None:
    """Find the run in the store by its tag, or create it; None where its journal has no start.

    Only under the lock of the run's delivery: two at once would create two.
    """
    known = delivered(folder)
    if known is not None and known.uri == shown:
        return known
    start = next(entries(folder, "start"), None)
    if start is None:
        return None
    experiment = _experiment_id(client, start["experiment"])
    there = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{folder.name}'", max_results=1)
    if there:
        mlflow_id = there[0].info.run_id
    else:
        tags = {MLFLOW_RUN_NAME: start["name"], RUN_TAG: folder.name}
        mlflow_id = client.create_run(experiment, start["at"], tags).info.run_id
    found = Delivered(shown, mlflow_id, 0)
    write_delivered(folder, found)
    return found


def _experiment_id(client: MlflowClient, name: str) -> str:
    """Id of the experiment of this name, which is created where it is missing."""
    location = None  # a server decides by itself
    if client.tracking_uri.startswith("sqlite:///"):
        database = Path(client.tracking_uri.removeprefix("sqlite:///"))
        location = (database.parent / "mlartifacts" / name).as_uri()
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name, location, EXPERIMENT_TAGS)
        except MlflowException:  # another process was quicker
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id


def _batches(folder: Path, offset: int) -> Iterator[tuple[list[Entry], int]]:
    """Entries that go in one call, and the byte behind them: small ones together, others alone."""
    batch: list[Entry] = []
    size = 0
    for entry, end in read(folder, offset):
        is_small = entry["kind"] in SMALL
        if batch and not (is_small and size + len(entry["values"]) <= VALUES):
            yield batch, offset
            batch, size = [], 0
        batch.append(entry)
        offset = end
        if is_small:
            size += len(entry["values"])
        else:
            size = VALUES
    if batch:
        yield batch, offset


def _send(
    client: MlflowClient,
    run: Delivered,
    folder: Path,
    batch: list[Entry],
    say: Callable[[str], None],
) -> None:
    """Send a batch; where the store refuses it, each entry by itself."""
    try:
        if batch[0]["kind"] in SMALL:
            _log_batch(client, run.mlflow_id, batch)
        else:
            _send_one(client, run, folder, batch[0])
    except MlflowException as refusal:
        if refusal.error_code not in PERMANENT:
            raise
        if len(batch) > 1:
            for entry in batch:
                _send(client, run, folder, [entry], say)
        else:
            what = ", ".join(batch[0].get("values", ())) or batch[0]["kind"]
            say(f"MLflow refuses {what}, which only the journal has now: {refusal}")


def _log_batch(client: MlflowClient, mlflow_id: str, batch: list[Entry]) -> None:
    """Send params, tags and metrics; of a tag that is given twice, the later value."""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metrics: list[Metric] = []
    for entry in batch:
        if entry["kind"] == "metrics":
            at, step = entry["at"], entry["step"]
            metrics += [Metric(name, value, at, step) for name, value in entry["values"].items()]
        else:
            (params if entry["kind"] == "params" else tags).update(entry["values"])
    client.log_batch(
        mlflow_id,
        params=[Param(name, value) for name, value in params.items()],
        tags=[RunTag(name, value.replace(OWN_ID, mlflow_id)) for name, value in tags.items()],
        metrics=metrics,
    )


def _send_one(client: MlflowClient, run: Delivered, folder: Path, entry: Entry) -> None:
    mlflow_id = run.mlflow_id
    match entry["kind"]:
        case "status" if entry["status"] == "RUNNING":
            client.update_run(mlflow_id, status="RUNNING")
        case "status":
            client.set_terminated(mlflow_id, entry["status"], entry["at"])
        case "parent":
            parent = folder_named(entry["run"], home(folder))
            if parent is not None:
                with locked(parent / "delivery.lock"):
                    found = _find_or_create(parent, client, run.uri)
                if found:
                    client.set_tag(mlflow_id, MLFLOW_PARENT_RUN_ID, found.mlflow_id)
        case "dataset":
            seen = Dataset(entry["name"], entry["digest"], "local", entry["source"])
            client.log_inputs(mlflow_id, datasets=[DatasetInput(seen)])
        case "artifact":
            _send_artifact(client, mlflow_id, folder, entry["path"])


def _send_artifact(client: MlflowClient, mlflow_id: str, folder: Path, name: str) -> None:
    path = folder / name
    if path.is_dir():
        if not _link_folder(client, mlflow_id, path, name):
            client.log_artifacts(mlflow_id, str(path), name)
    elif path.exists():  # else it was deleted by hand
        where = Path(name).parent.as_posix()
        client.log_artifact(mlflow_id, str(path), None if where == "." else where)


def _link_folder(client: MlflowClient, mlflow_id: str, path: Path, name: str) -> bool:
    """Hard-link a folder's files into a local artifact store, so that they take no room twice.

    Only of folders, which hold models: their files are replaced, and never changed in place.

    Returns:
        Whether the store is local and on the same file system.
    """
    uri = client.get_run(mlflow_id).info.artifact_uri
    if not uri.startswith("file:"):
        return False
    store = Path(url2pathname(urlsplit(uri).path))

    def link(source: str, target: str) -> None:
        Path(target).unlink(missing_ok=True)
        Path(target).hardlink_to(source)

    try:
        shutil.copytree(path, store / name, copy_function=link, dirs_exist_ok=True)
    except OSError:  # shutil.Error is one: another file system, or one without links
        return False
    return True
