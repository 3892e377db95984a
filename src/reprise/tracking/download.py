"""The folder of a run, made from what a tracking store has of it."""

import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from reprise.files import replacing
from reprise.tracking.journal import DELIVERED, DELIVERED_FILES, JOURNAL, Delivered, Entry
from reprise.tracking.mlflow_store import RUN_TAG, connect
from reprise.tracking.trouble import Trouble, explain

LARGEST = 1.79e308  # databases hold no infinity, and MLflow writes the largest number instead


def download(run: str, uri: str, shown: str, runs: Path, needed: Sequence[str]) -> Path | None:
    """Make the folder of a run that is in the store: its journal, and all of its files.

    Args:
        run: MLflow's id of it, or its own.
        uri: The store's absolute address.
        shown: The same with its passwords masked.
        runs: Folder of all runs.
        needed: Files without which it is no run.

    Returns:
        Its folder, whole, or one that is there already; None: the store has no such run.

    Raises:
        Trouble: the store cannot be reached, or does not give what it has.
    """
    if not re.fullmatch(r"[\w-]+", run):
        return None
    try:
        client = connect(uri)
        there = _find(client, run)
        if there is None:
            return None
        experiment = client.get_experiment(there.info.experiment_id).name
        folder = runs / experiment / there.data.tags[RUN_TAG]
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with replacing(folder) as partial:
                partial.mkdir()
                _fill(partial, client, there, experiment, shown)
                if lost := [name for name in needed if not (partial / name).exists()]:
                    why = f"{shown} has the run, but not its {', '.join(lost)}"
                    raise Trouble(why, "bring it from where it was trained", of_store=False)
    except (OSError, Trouble):
        raise
    except Exception as error:  # of whatever library stands before the store
        raise explain(error, shown) from error
    return folder


def _find(client: MlflowClient, run: str) -> StoredRun | None:
    experiments = [one.experiment_id for one in client.search_experiments()]
    for condition in (f"tags.`{RUN_TAG}` = '{run}'", f"attributes.run_id = '{run}'"):
        found = client.search_runs(experiments, condition) if experiments else []
        if found and RUN_TAG in found[0].data.tags:
            return client.get_run(found[0].info.run_id)
    return None


def _fill(
    folder: Path, client: MlflowClient, there: StoredRun, experiment: str, shown: str
) -> None:
    mlflow_id = there.info.run_id
    files = [one.path for one in client.list_artifacts(mlflow_id)]
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one bar for each file
    for name in files:
        client.download_artifacts(mlflow_id, name, str(folder))
    model = folder / "model/data/model.keras"
    if model.exists():
        best = folder / "checkpoints/best.keras"
        best.parent.mkdir(exist_ok=True)
        best.hardlink_to(model)
    entries = [*_entries(client, there, experiment, shown)]
    entries += [{"kind": "artifact", "path": name} for name in files]
    lines = [json.dumps({"at": there.info.start_time, **entry}) + "\n" for entry in entries]
    (folder / JOURNAL).write_text("".join(lines))
    note = json.dumps(asdict(Delivered(shown, mlflow_id, (folder / JOURNAL).stat().st_size)))
    for name in (DELIVERED, DELIVERED_FILES):
        (folder / name).write_text(note)


def _entries(
    client: MlflowClient, there: StoredRun, experiment: str, shown: str
) -> Iterator[Entry]:
    """The entries of the run's journal, but for its files."""
    tags, mlflow_id = dict(there.data.tags), there.info.run_id
    yield {"kind": "start", "experiment": experiment, "name": tags[MLFLOW_RUN_NAME], "uri": shown}
    if above := tags.pop(MLFLOW_PARENT_RUN_ID, None):
        yield {"kind": "parent", "run": client.get_run(above).data.tags.get(RUN_TAG, above)}
    yield {"kind": "params", "values": there.data.params}
    yield {"kind": "tags", "values": {k: v for k, v in tags.items() if k != RUN_TAG}}
    for name in there.data.metrics:
        for point in client.get_metric_history(mlflow_id, name):
            is_finite = not abs(point.value) > LARGEST
            value = point.value if is_finite else math.copysign(math.inf, point.value)
            at = point.timestamp
            yield {"kind": "metrics", "at": at, "step": point.step, "values": {name: value}}
    yield {"kind": "status", "at": there.info.end_time, "status": there.info.status}
