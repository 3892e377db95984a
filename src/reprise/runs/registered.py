"""The run behind a model of MLflow's registry, brought here where it is not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.project import relative
from reprise.runs.bring import find_or_bring
from reprise.runs.load import NoRun, SavedRun
from reprise.tracking.settings import tracking_uri

_CODE = "mlflow.pyfunc.loaders.code_model"  # loads what `make promote` registers


def find_model(model: str, runs: Path, uri: str = "") -> SavedRun:
    """Find the run of a registered model.

    Args:
        model: `NAME@alias`, `NAME/version`, or `NAME`: the newest version.
        runs: Folder of all runs; a run that is not there is brought from the store.
        uri: Address of the tracking store; '': the usual one.

    Raises:
        UserError: there is no such model, or its run has left no model there.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    address = tracking_uri(uri)
    client = MlflowClient(address)
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
        known = "not known, as the store does not answer"
        with suppress(MlflowException):
            known = ", ".join(one.name for one in client.search_registered_models()) or "none"
        raise UserError(
            f"there is no model {model} in {redact(address)}",
            f"NAME@alias, NAME/version or NAME; models there are: {known}",
            redact(str(error).splitlines()[0]),
            "correct model=…, name the store by uri=…, or give run=ID",
        ) from None
    try:
        return find_or_bring(str(found.run_id), runs, uri)
    except NoRun:
        raise NoRun(
            f"the run of model {model} is gone",
            f"its folder below {relative(runs)}, or the run {found.run_id} in {redact(address)}",
            "neither",
            "bring one of them back, or promote another run in its place, with force=true",
        ) from None


def find_asked(run: str, model: str, runs: Path, uri: str = "") -> SavedRun:
    """Find the run that the words of a verb name: either `run=…` or `model=…`.

    Raises:
        UserError: both or none are given, or there is no such run or model.
    """
    if bool(run) == bool(model):
        raise UserError(
            "which model is it to be?",
            "run=ID, run=last or model=NAME@alias",
            f"run={run} model={model}" if run else "neither",
            "give one of them",
        )
    return find_model(model, runs, uri) if model else find_or_bring(run, runs, uri)


def served_address(model: str, uri: str = "") -> str:
    """Address in MLflow of a registered model that can be served as it is.

    Args:
        model: As in `find_model`.
        uri: Address of the tracking store; '': the usual one.

    Returns:
        The address; '' where there is none, or it was registered before 28 November 2026.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(tracking_uri(uri))
    address = f"models:/{model}" if "@" in model or "/" in model else f"models:/{model}/latest"
    try:
        flavors = mlflow.models.get_model_info(address).flavors
    except (MlflowException, OSError):
        return ""
    is_ours = flavors.get("python_function", {}).get("loader_module") == _CODE
    return address if is_ours else ""
