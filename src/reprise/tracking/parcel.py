"""Journal entries on their way to MLflow: numbers and texts in one call, anything else alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from reprise.tracking.identity import mlflow_id_of
from reprise.tracking.journal import OWN_ID, Entry
from reprise.tracking.limits import AT_ONCE

TOGETHER = {"params", "tags", "metrics"}
FINAL = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}  # errors that trying again does not mend


class Parcel:
    """Entries that go to one run together.

    Args:
        client: Talks to the store.
        uri: The store's address, passwords masked.
        mlflow_id: MLflow's own id of the run.
        folder: The run's folder.
        say: Told what the store refuses for good; it stays in the journal and is passed over.
    """

    def __init__(
        self,
        client: MlflowClient,
        uri: str,
        mlflow_id: str,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._client, self._uri, self._id = client, uri, mlflow_id
        self._folder, self._say = folder, say
        self._entries: list[Entry] = []
        self._size = 0

    def takes(self, entry: Entry) -> bool:
        """Whether an entry can go in the same call as those in here."""
        if not self._entries:
            return True
        are_small = {self._entries[-1]["kind"], entry["kind"]} <= TOGETHER
        return are_small and self._size + len(entry["values"]) <= AT_ONCE

    def add(self, entry: Entry) -> None:
        """Put an entry in."""
        self._entries.append(entry)
        self._size += len(entry.get("values", ()))

    def send(self) -> None:
        """Send what is in here; what the store refuses in company is sent by itself.

        Raises:
            Exception: the store cannot be reached.
        """
        try:
            self._deliver(self._entries)
        except MlflowException as refusal:
            if refusal.error_code not in FINAL:
                raise
            for entry in self._entries:
                self._send_alone(entry)
        self._entries, self._size = [], 0

    def _send_alone(self, entry: Entry) -> None:
        try:
            self._deliver([entry])
        except MlflowException as refusal:
            if refusal.error_code not in FINAL:
                raise
            what = ", ".join(entry["values"]) if "values" in entry else entry["kind"]
            self._say(f"MLflow refuses {what}, which only the journal has now: {refusal}")

    def _deliver(self, together: list[Entry]) -> None:
        if together and together[0]["kind"] in TOGETHER:
            self._client.log_batch(self._id, **_batch(together, self._id))
            return
        for entry in together:  # one, as `takes` has it
            getattr(self, f"_{entry['kind']}")(entry)

    def _start(self, entry: Entry) -> None:
        """The run is there already: by it, its folder was found."""

    def _status(self, entry: Entry) -> None:
        if entry["status"] == "RUNNING":
            self._client.update_run(self._id, status="RUNNING")
        else:
            self._client.set_terminated(self._id, entry["status"], entry["at"])

    def _parent(self, entry: Entry) -> None:
        found = mlflow_id_of(entry["run"], self._folder.parents[1], self._client, self._uri)
        if found:
            self._client.set_tag(self._id, MLFLOW_PARENT_RUN_ID, found)

    def _dataset(self, entry: Entry) -> None:
        seen = Dataset(entry["name"], entry["digest"], "local", entry["source"])
        self._client.log_inputs(self._id, datasets=[DatasetInput(seen)])

    def _artifact(self, entry: Entry) -> None:
        path = self._folder / entry["path"]
        if path.is_dir():
            self._client.log_artifacts(self._id, str(path), entry["path"])
        elif path.exists():  # else it was taken away by hand
            where = Path(entry["path"]).parent.as_posix()
            self._client.log_artifact(self._id, str(path), None if where == "." else where)


def _batch(together: list[Entry], mlflow_id: str) -> dict[str, Any]:
    """What `log_batch` takes; of a tag that is given twice, the later value."""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metrics: list[Metric] = []
    for entry in together:
        if entry["kind"] == "metrics":
            at, step = entry["at"], entry["step"]
            metrics += [Metric(name, value, at, step) for name, value in entry["values"].items()]
        else:
            (params if entry["kind"] == "params" else tags).update(entry["values"])
    return {
        "params": [Param(name, value) for name, value in params.items()],
        "tags": [RunTag(name, value.replace(OWN_ID, mlflow_id)) for name, value in tags.items()],
        "metrics": metrics,
    }
