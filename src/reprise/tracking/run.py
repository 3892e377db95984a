"""One run in MLflow: opened, written to, and closed with the status it earned."""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from reprise.errors import Stopped
from reprise.tracking.store import experiment_id, quiet, tracking_uri

PARAMS_PER_CALL = 100  # the server's limit
PARAM_LENGTH = 6000  # longer values are refused or cut; the whole config is an artifact


class Run:
    """The record of one run: a folder of files, and the same in MLflow.

    Args:
        client: Talks to the tracking store.
        mlflow_id: MLflow's own id of the run.
        folder: The run's folder; its name is the run's identity.
        redact: Takes secrets out of a text; everything written passes through it.
    """

    def __init__(
        self, client: MlflowClient, mlflow_id: str, folder: Path, redact: Callable[[str], str]
    ) -> None:
        self.client = client
        self.mlflow_id = mlflow_id
        self.folder = folder
        self.redact = redact

    @property
    def id(self) -> str:
        """What the user calls the run, and the name of its folder."""
        return self.folder.name

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings; a value is kept once and never changes."""
        made = [Param(k, self.redact(str(v))[:PARAM_LENGTH]) for k, v in values.items()]
        for start in range(0, len(made), PARAMS_PER_CALL):
            self.client.log_batch(self.mlflow_id, params=made[start : start + PARAMS_PER_CALL])

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record facts about the run; a later value replaces an earlier one."""
        made = [RunTag(k, self.redact(str(v))[:PARAM_LENGTH]) for k, v in values.items()]
        self.client.log_batch(self.mlflow_id, tags=made)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record numbers of one step, all with the same time."""
        now = int(time.time() * 1000)
        made = [Metric(name, float(value), now, step) for name, value in values.items()]
        self.client.log_batch(self.mlflow_id, metrics=made)

    def child_of(self, parent: str) -> None:
        """Stand under another run in the UI; `parent` is MLflow's id of it."""
        self.tags({MLFLOW_PARENT_RUN_ID: parent})

    def last_step(self, metric: str) -> int:
        """The last step for which a metric was recorded, or -1."""
        history = self.client.get_metric_history(self.mlflow_id, metric)
        return max((point.step for point in history), default=-1)

    def data(self, name: str, digest: str, source: str) -> None:
        """Record which data the run saw; MLflow keeps 36 characters of the digest."""
        seen = Dataset(name, digest[:36], "local", self.redact(source))
        self.client.log_inputs(self.mlflow_id, datasets=[DatasetInput(seen)])

    def text(self, name: str, content: str) -> None:
        """Write a text file into the run's folder and record it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.redact(content))
        self.artifact(path)

    def artifact(self, path: Path) -> None:
        """Record a file or a folder that stands in the run's folder, under the same name."""
        where = path.relative_to(self.folder)
        if path.is_dir():
            self.client.log_artifacts(self.mlflow_id, str(path), where.as_posix())
        else:
            parent = where.parent.as_posix()
            self.client.log_artifact(self.mlflow_id, str(path), None if parent == "." else parent)


@contextmanager
def open_run(
    folder: Path,
    experiment: str,
    name: str,
    *,
    uri: str | None,
    redact: Callable[[str], str],
    mlflow_id: str | None = None,
) -> Iterator[Run]:
    """Open a run; closed as FINISHED, KILLED where it was stopped, or FAILED with its traceback.

    Args:
        folder: The run's folder, made if it is missing.
        experiment: Name of the MLflow experiment, made if it is missing.
        name: Name of the run in the UI.
        uri: Address of the tracking store; None means MLFLOW_TRACKING_URI, or a local database.
        redact: Takes secrets out of a text.
        mlflow_id: MLflow's id of the run to go on with; None makes a new one.
    """
    quiet()
    folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri(uri))
    tags = {MLFLOW_RUN_NAME: name, "reprise.run": folder.name}
    if mlflow_id is None:
        made = client.create_run(experiment_id(client, experiment), tags=tags)
        mlflow_id = made.info.run_id
    else:
        client.update_run(mlflow_id, status="RUNNING")
    run = Run(client, mlflow_id, folder, redact)
    try:
        yield run
    except (KeyboardInterrupt, Stopped) as ended:
        vars(ended)["run"] = folder.name  # for who says how to go on
        client.set_terminated(run.mlflow_id, "KILLED")
        raise
    except BaseException:
        run.text("traceback.txt", traceback.format_exc())
        client.set_terminated(run.mlflow_id, "FAILED")
        raise
    client.set_terminated(run.mlflow_id, "FINISHED")
