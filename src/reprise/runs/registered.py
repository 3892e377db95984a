"""The run behind a model of MLflow's registry, brought here where it is not."""

from __future__ import annotations

from pathlib import Path

from reprise.errors import UserError
from reprise.files import replacing
from reprise.project import ROOT
from reprise.runs.folder import CHECKPOINTS, CONFIG, IDENTITY, SPECS, SPLITS
from reprise.runs.load import SavedRun, find, read_run
from reprise.tracking.settings import tracking_uri

_STORED = "model/data/model.keras"  # artifact of a run


def find_model(model: str, runs: Path, uri: str | None = None) -> SavedRun:
    """Find the run of a registered model.

    Args:
        model: `NAME@alias`, `NAME/version`, or `NAME`: the newest version.
        runs: Folder of all runs; a run that is not there is copied from MLflow to `cache/models`.
        uri: Address of the tracking store; None: the usual one.

    Raises:
        UserError: there is no such model, or its run has left no model there.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    address = tracking_uri(uri)
    mlflow.set_tracking_uri(address)
    client = mlflow.MlflowClient(address)
    name, at, alias = model.partition("@")
    name, _, version = name.partition("/")
    try:
        if at:
            found = client.get_model_version_by_alias(name, alias)
        elif version:
            found = client.get_model_version(name, version)
        else:
            every = client.search_model_versions(f"name = '{name}'")
            found = max(every, key=lambda one: int(one.version))
    except (MlflowException, ValueError) as error:
        known = ", ".join(one.name for one in client.search_registered_models()) or "none"
        raise UserError(
            f"there is no model {model} in {address}",
            f"NAME@alias, NAME/version or NAME; models there are: {known}",
            str(error).splitlines()[0],
            "correct model=…, name the store by uri=…, or give run=ID",
        ) from None
    run_id = str(found.run_id)
    try:
        return find(run_id, runs)
    except UserError:
        folder = ROOT / "cache/models" / run_id
    if not (folder / IDENTITY).exists():
        _copy(run_id, folder, address)
    return read_run(folder, runs)


def _copy(run_id: str, folder: Path, address: str) -> None:
    """Copy from MLflow what predicting takes of a run."""
    import mlflow
    from mlflow.exceptions import MlflowException

    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(folder) as partial:
            partial.mkdir()
            for name in (CONFIG, SPECS, SPLITS, IDENTITY, _STORED):
                uri = f"runs:/{run_id}/{name}"
                mlflow.artifacts.download_artifacts(uri, dst_path=str(partial))
            (partial / CHECKPOINTS).mkdir()
            next(partial.rglob("model.keras")).rename(partial / CHECKPOINTS / "best.keras")
    except (MlflowException, OSError, StopIteration) as error:
        raise UserError(
            f"the run {run_id} of the model is not complete in {address}",
            f"the artifacts {CONFIG}, {SPECS}, {SPLITS}, {IDENTITY} and {_STORED}",
            str(error).splitlines()[0] if str(error) else "no model",
            "bring them there from where the run was trained: make sync",
        ) from None
