"""Delivery of journals to an MLflow tracking store: exactly once, however often it is tried.

With artifacts.py and download.py, the only module that talks to the store. Importing MLflow takes
seconds, so these are imported in the delivery's own threads.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Experiment, Metric, Param, RunTag, ViewType
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as db_utils
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from reprise.files import locked, replacing
from reprise.project import typed
from reprise.tracking.folders import folder_named, home
from reprise.tracking.journal import (
    DELIVERED_FILES,
    OWN_ID,
    VALUES,
    Delivered,
    Entry,
    delivered,
    entries,
    read,
    write_delivered,
)
from reprise.tracking.trouble import Trouble, explain, http_status, mlflow_command, plain

RUN_TAG = "reprise.run"  # the name of the run's folder; MLflow chooses its own id by itself
# What the experiment is for. Which pages the UI opens on, it remembers itself since release 3.17.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
SMALL = {"params", "tags", "metrics"}  # kinds of entries that share a call
DELETED = "deleted"
REFUSED = {400, 404, 405, 409, 413, 422, 501}  # HTTP status: of the values, not of the user
ILL = 3  # values in a row at which a server fails: not the values are at fault

Value = Metric | Param | RunTag

# The libraries' notes about their own work stay out of the user's terminal.
LOG_LEVELS = {
    "alembic": logging.WARNING,
    "mlflow.utils.autologging_utils": logging.WARNING,
    "mlflow.store.db": logging.CRITICAL,  # it raises what it logs
    "urllib3.connectionpool": logging.ERROR,  # of each new attempt
}
# MLflow's own are 7 retries and 120 s: minutes for what is tried again anyway.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass
class Outcome:
    """What became of a delivery.

    Args:
        sent: Number of values, files and so on that went there, by their kind.
        missing: What did not, by its name.
    """

    sent: dict[str, int] = field(default_factory=dict)
    missing: dict[str, Trouble] = field(default_factory=dict)

    def count(self, kind: str, number: int = 1) -> None:
        """Add to what was sent."""
        self.sent[kind] = self.sent.get(kind, 0) + number


def connect(uri: str) -> MlflowClient:
    """A client of the store, which is made where it is a local database that does not exist."""
    for name, level in LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    db_utils.MAX_RETRY_COUNT = 2  # 10 take 100 s, for a database that is not there
    make_database(uri)
    return MlflowClient(uri)


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
            with replacing(path) as made:
                MlflowClient(f"sqlite:///{made}").search_experiments()


def deliver(
    folder: Path, uri: str, shown: str, say: Callable[[str], None], *, compare: bool = False
) -> Outcome:
    """Bring all of a run but its files to the tracking store; one thread or process at a time.

    Args:
        folder: The run's folder.
        uri: The store's absolute address.
        shown: The same with its passwords masked.
        say: Called with a line about a run that stands in the store more than once.
        compare: Ask the store what it has and send what is missing, instead of what was recorded
            since the last delivery.

    Raises:
        Trouble: the store cannot be reached, or does not take the run. What was delivered before
            that is written down.
    """
    outcome = Outcome()
    try:
        client = connect(uri)
        with locked(folder / "delivery.lock"):
            found = _find_or_create(folder, client, shown, say, look=compare)
            if found is not None:
                try:
                    _deliver(folder, client, found, outcome, compare)
                except MlflowException as error:
                    if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                        raise
                    found = _find_or_create(folder, client, shown, say, look=True)
                    assert found is not None
                    _deliver(folder, client, found, outcome, compare)
    except Exception as error:  # of whatever library stands before the store
        for engine in SqlAlchemyStore._engine_map.values():
            engine.dispose()  # a database that was deleted or replaced stays open otherwise
        raise explain(error, shown) from error
    return outcome


def _find_or_create(
    folder: Path,
    client: MlflowClient,
    shown: str,
    say: Callable[[str], None],
    *,
    look: bool = False,
) -> Delivered | None:
    """Find the run in the store by its tag, or create it; None where its journal has no start.

    Only under the lock of the run's delivery: two at once would create two.

    Args:
        look: Whether to ask the store even if it is known to have the run.
    """
    known = delivered(folder)
    if known is not None and known.uri == shown and known.run != folder.name:
        known = _of_other_name(folder, client, known)
    if known is not None and known.uri == shown:
        if delivered(folder, DELIVERED_FILES) is None:  # a run of before files had their own note
            write_delivered(folder, known, DELIVERED_FILES)
        if not look:
            return known
    start = next(entries(folder, "start"), None)
    if start is None:
        return None
    there = _get(client, known.mlflow_id) if known and known.uri == shown else None
    if there is not None:  # the experiment may have another name now
        experiment = client.get_experiment(there.info.experiment_id)
    else:
        experiment = _experiment(client, start["experiment"])
    runs = _runs_of(client, experiment, folder)
    if not runs:
        if experiment.lifecycle_stage == DELETED:
            raise _deleted_experiment(experiment, shown)
        tags = {MLFLOW_RUN_NAME: start["name"], RUN_TAG: folder.name}
        made = client.create_run(experiment.experiment_id, start["at"], tags).info.run_id
        runs = _runs_of(client, experiment, folder)
        if runs and runs[0].info.run_id != made:  # another machine, which has the same folder
            client.delete_run(made)
    mlflow_id = runs[0].info.run_id if runs else made
    active = [run.info.run_id for run in runs if run.info.lifecycle_stage != DELETED]
    if known is not None and known.uri == shown and known.mlflow_id in active:
        mlflow_id = known.mlflow_id
    if len(active) > 1 and look:
        others = [other for other in active if other != mlflow_id]
        say(
            f"{folder.name} stands in MLflow {len(active)} times; {mlflow_id} is kept up; "
            "to take another away: " + mlflow_command(shown, f"runs delete --run-id {others[0]}")
        )
    if known is not None and (known.uri, known.mlflow_id) == (shown, mlflow_id):
        return known
    found, files = Delivered(shown, mlflow_id, 0), delivered(folder, DELIVERED_FILES)
    if files is None or (files.uri, files.mlflow_id) != (shown, mlflow_id):
        write_delivered(folder, found, DELIVERED_FILES)
    write_delivered(folder, found)
    return found


def _of_other_name(folder: Path, client: MlflowClient, known: Delivered) -> Delivered | None:
    """What was delivered of a folder that had another name then; None of one that is a copy.

    A copy beside its original is a run of its own. A renamed folder keeps its run in the store,
    which gets the new name.
    """
    there = _get(client, known.mlflow_id)
    if there is None:
        return None
    before = there.data.tags.get(RUN_TAG, folder.name)
    if before != folder.name:
        original = folder_named(before, home(folder))
        if original and (own := delivered(original)) and own.mlflow_id == known.mlflow_id:
            return None
        if there.info.lifecycle_stage != DELETED:  # or nothing can be changed
            client.set_tag(known.mlflow_id, RUN_TAG, folder.name)
    write_delivered(folder, known)
    return known


def _get(client: MlflowClient, mlflow_id: str) -> StoredRun | None:
    try:
        return client.get_run(mlflow_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _runs_of(client: MlflowClient, experiment: Experiment, folder: Path) -> list[StoredRun]:
    """Runs in the store with the folder's name: those not deleted first, then the fullest."""
    runs = client.search_runs(
        [experiment.experiment_id], f"tags.`{RUN_TAG}` = '{folder.name}'", ViewType.ALL
    )
    return sorted(
        runs,
        key=lambda run: (
            run.info.lifecycle_stage == DELETED, -len(run.data.metrics), run.info.run_id
        ),
    )  # fmt: skip


def _experiment(client: MlflowClient, name: str) -> Experiment:
    """The experiment of this name, which is created where it is missing."""
    location = None  # a server decides by itself
    if client.tracking_uri.startswith("sqlite:///"):
        database = Path(client.tracking_uri.removeprefix("sqlite:///"))
        location = (database.parent / "mlartifacts" / name).as_uri()
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.get_experiment(client.create_experiment(name, location, EXPERIMENT_TAGS))
        except MlflowException:  # another process was quicker
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return found


def _deleted_experiment(experiment: Experiment, shown: str) -> Trouble:
    restore = f"experiments restore --experiment-id {experiment.experiment_id}"
    return Trouble(
        f"MLflow's experiment '{experiment.name}' at {shown} is deleted",
        f"{mlflow_command(shown, restore)}, then: {typed('sync')}; or, for new runs, "
        "tracking.experiment=ANOTHER_NAME",
        of_store=False,
    )


def _deleted_run(client: MlflowClient, mlflow_id: str, folder: Path, shown: str) -> Trouble | None:
    """What is wrong with a run that refuses what is sent; None where it is there and active."""
    run = client.get_run(mlflow_id)
    experiment = client.get_experiment(run.info.experiment_id)
    if experiment.lifecycle_stage == DELETED:
        return _deleted_experiment(experiment, shown)
    if run.info.lifecycle_stage != DELETED:
        return None
    return Trouble(
        f"run {folder.name} is deleted in MLflow at {shown}",
        mlflow_command(shown, f"runs restore --run-id {mlflow_id}") + f", then: {typed('sync')}",
        of_store=False,
    )


def _deliver(
    folder: Path, client: MlflowClient, run: Delivered, outcome: Outcome, compare: bool
) -> None:
    """Send a run's entries from where it stands on, or those values that the store lacks."""
    sending = _Sending(folder, client, run, outcome)
    lacking = _Lacking(folder, client, run, outcome) if compare else None
    for batch, end in _batches(folder, 0 if compare else run.offset):
        wanted = [lacking.of(entry) for entry in batch] if lacking else batch
        sending.send([entry for entry in wanted if entry is not None])
        if end > run.offset:
            run = replace(run, offset=end)
            write_delivered(folder, run)


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


class _Sending:
    """Sends entries; what the store refuses by itself holds nothing else up."""

    def __init__(
        self, folder: Path, client: MlflowClient, run: Delivered, outcome: Outcome
    ) -> None:
        self._folder, self._client, self._run, self._outcome = folder, client, run, outcome
        self._failures = 0  # in a row

    def send(self, batch: list[Entry]) -> None:
        """Send a batch: values together, or one entry of another kind."""
        values: dict[str, Value] = {}
        for entry in batch:
            if entry["kind"] in SMALL:
                values |= self._values(entry)
            else:
                self._attempt(entry["kind"], partial(self._send_one, entry))
        if values:
            self._log(list(values.values()))

    def _values(self, entry: Entry) -> dict[str, Value]:
        """An entry's values, by what a later one replaces."""
        items, at, step = entry["values"].items(), entry["at"], entry.get("step", 0)
        if entry["kind"] == "metrics":
            return {f"{at} {step} {k}": Metric(k, v, at, step) for k, v in items}
        if entry["kind"] == "params":
            return {f"param {k} {v}": Param(k, v) for k, v in items}
        own = self._run.mlflow_id
        return {f"tag {k}": RunTag(k, v.replace(OWN_ID, own)) for k, v in items}

    def _log(self, values: list[Value]) -> None:
        metrics = [value for value in values if isinstance(value, Metric)]
        params = [value for value in values if isinstance(value, Param)]
        tags = [value for value in values if isinstance(value, RunTag)]
        is_last = len(values) == 1
        name = values[0].key if is_last else None
        log, mlflow_id = self._client.log_batch, self._run.mlflow_id
        if self._attempt(name, lambda: log(mlflow_id, metrics, params, tags)):
            for kind, some in (("values", metrics), ("params", params), ("tags", tags)):
                if some:
                    self._outcome.count(kind, len(some))
        elif not is_last:
            middle = len(values) // 2
            self._log(values[:middle])
            self._log(values[middle:])

    def _attempt(self, name: str | None, call: Callable[[], object]) -> bool:
        """Whether the store took it; if not, it is noted as `name`, unless that is None.

        Raises:
            Exception: it is not about this call, but about the run or the store.
        """
        try:
            call()
        except MlflowException as error:
            status = http_status(error)
            is_ill = status == 500
            is_gone = error.error_code == "RESOURCE_DOES_NOT_EXIST"
            if is_gone or not (is_ill or status in REFUSED):
                raise
            trouble = _deleted_run(self._client, self._run.mlflow_id, self._folder, self._run.uri)
            if trouble is not None:
                raise trouble from error
            if name is not None:
                self._failures += is_ill
                if self._failures >= ILL:
                    raise
                self._outcome.missing[name] = Trouble(
                    f"MLflow refuses it (HTTP {status}: {plain(str(error))})",
                    "the run's folder has it; a server of a newer release may take it, "
                    f"then: {typed('sync')}",
                    lasts=True,
                )
            return False
        self._failures = 0
        return True

    def _send_one(self, entry: Entry) -> None:
        client, mlflow_id = self._client, self._run.mlflow_id
        match entry["kind"]:
            case "status" if entry["status"] == "RUNNING":
                client.update_run(mlflow_id, status="RUNNING")
            case "status":
                began = client.get_run(mlflow_id).info.start_time  # clocks can go backwards
                client.set_terminated(mlflow_id, entry["status"], max(entry["at"], began))
            case "parent":
                found = _parent(self._folder, client, self._run, entry)
                if found:
                    client.set_tag(mlflow_id, MLFLOW_PARENT_RUN_ID, found.mlflow_id)
            case "dataset":
                seen = Dataset(entry["name"], entry["digest"], "local", entry["source"])
                client.log_inputs(mlflow_id, datasets=[DatasetInput(seen)])
            case _:
                return
        self._outcome.count(entry["kind"])


def _parent(folder: Path, client: MlflowClient, run: Delivered, entry: Entry) -> Delivered | None:
    """The parent of a run in the store; None where its folder is of another machine."""
    parent = folder_named(entry["run"], home(folder))
    if parent is None:
        return None
    with locked(parent / "delivery.lock"):
        return _find_or_create(parent, client, run.uri, lambda line: None)


class _Lacking:
    """What of a run's journal the store lacks, by comparison with what it has."""

    def __init__(
        self, folder: Path, client: MlflowClient, run: Delivered, outcome: Outcome
    ) -> None:
        self._folder, self._client, self._run, self._outcome = folder, client, run, outcome
        self._there = client.get_run(run.mlflow_id)
        self._steps: dict[str, dict[int, float]] = {}  # what the store has of each metric
        self._tags: dict[str, list[str]] = {}  # all values that were given
        for entry in entries(folder, "tags"):
            for name, value in entry["values"].items():
                self._tags.setdefault(name, []).append(value.replace(OWN_ID, run.mlflow_id))
        self._status = [entry for entry in entries(folder, "status")][-1:]

    def of(self, entry: Entry) -> Entry | None:
        """The part of an entry that the store lacks, or None."""
        there = self._there.data
        match entry["kind"]:
            case "metrics" | "params" | "tags" as kind:
                values = entry["values"].items()
                if kind == "metrics":
                    found = {k: v for k, v in values if self._lacks_metric(k, v, entry["step"])}
                elif kind == "params":
                    found = {k: v for k, v in values if k not in there.params}
                else:
                    found = {k: v for k, v in values if self._lacks_tag(k, v)}
                return {**entry, "values": found} if found else None
            case "status":
                is_there = self._status != [entry] or self._there.info.status == entry["status"]
            case "parent":
                parent = _parent(self._folder, self._client, self._run, entry)
                is_there = not parent or there.tags.get(MLFLOW_PARENT_RUN_ID) == parent.mlflow_id
            case "dataset":
                inputs = self._there.inputs
                seen = [one.dataset for one in inputs.dataset_inputs] if inputs else []
                is_there = (entry["name"], entry["digest"]) in [(d.name, d.digest) for d in seen]
            case _:
                is_there = True
        return None if is_there else entry

    def _lacks_metric(self, name: str, value: float, step: int) -> bool:
        if name not in self._steps:
            is_new = name not in self._there.data.metrics
            asked = self._client.get_metric_history
            points = [] if is_new else asked(self._run.mlflow_id, name)
            self._steps[name] = {point.step: point.value for point in points}
        if step not in self._steps[name]:
            self._steps[name][step] = value
            return True
        if not _same(there := self._steps[name][step], value):
            self._outcome.missing.setdefault(
                name,
                Trouble(
                    f"is {there} at step {step} in MLflow and {value} here; what stands there is "
                    "never changed",
                    f"{typed('sync')} to another store, uri=ADDRESS",
                    lasts=True,
                ),
            )
        return False

    def _lacks_tag(self, name: str, value: str) -> bool:
        """A tag that was changed in the UI stays; one that a later value replaced is sent."""
        given, there = self._tags[name], self._there.data.tags.get(name)
        is_newest = value.replace(OWN_ID, self._run.mlflow_id) == given[-1]
        return is_newest and (there is None or (there in given and there != given[-1]))


def _same(there: float, here: float) -> bool:
    """Whether two numbers are one: databases hold no infinity, and some round the last digit."""
    if math.isnan(here) or math.isnan(there):
        return math.isnan(here) and math.isnan(there)
    return math.isclose(there, here, rel_tol=1e-12) or (math.isinf(here) and there * here > 1e300)
