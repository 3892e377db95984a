"""Promote: a run's model becomes a version of a model in MLflow's registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reprise.config.secrets import MASK, redact
from reprise.errors import UserError
from reprise.files import locked
from reprise.project import typed
from reprise.runs.bring import find_or_bring
from reprise.runs.experiment import Data, set_up_device
from reprise.runs.folder import SERVING, require_ended
from reprise.runs.load import NoRun, SavedRun, load_best, match_specs, open_saved_data
from reprise.runs.registered import find_model
from reprise.runs.score import description, score_splits
from reprise.runs.serve import write_pyfunc
from reprise.runs.sync import add_to_record, deliver_run
from reprise.tracking.folders import all_runs
from reprise.tracking.journal import delivered, tags_of
from reprise.tracking.settings import tracking_uri

LINEAGE = ("data.digest", "code.tree", "git.commit", "weights_sha256", "reproduced")


@dataclass(frozen=True)
class Promotion:
    """A new version of a registered model.

    Args:
        version: Its number, from 1.
        metric: The metric that was compared, `test/iou` say.
        value: Of the new model.
        before: Of the model that had the alias, on the same data; None if there was none.
        holder: The run of that model.
    """

    version: str
    metric: str
    value: float
    before: float | None = None
    holder: str = ""


def promote(run: str, runs: Path, name: str, alias: str, *, force: bool = False) -> Promotion:
    """Score a run's model, compare it with the one that has the alias, and register it.

    Both are scored on the test split of the run, or valid or train where it has no other, by the
    metric that it monitors. The alias moves to the new version.

    Args:
        run: What names the run.
        runs: Folder of all runs.
        name: Of the model in MLflow's registry; made if it is new.
        alias: Of the version, `champion` say.
        force: Register a model that is not better, too.

    Raises:
        UserError: it is not better, has no model in MLflow, or the store refuses; nothing is
            registered then.
    """
    is_reserved = re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE)
    if set("@/:") & set(name) or is_reserved or not re.fullmatch(r"[\w-]+", alias):
        raise UserError(
            f"a model cannot be called {name}@{alias}",
            "a name without @, / and :, and an alias of letters, digits, _ and -, other than "
            "latest, v1, v2, …",
            f"name={name} alias={alias}",
            "choose another name=… or alias=…",
        )
    saved = find_or_bring(run, runs)
    require_ended(saved.folder)
    with locked(all_runs(runs) / ".promote.lock"):  # the next one compares with this one's model
        return _promote(saved, runs, name, alias, force=force)


def _promote(saved: SavedRun, runs: Path, name: str, alias: str, *, force: bool) -> Promotion:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    data = open_saved_data(saved)
    split = next(one for one in ("test", "valid", "train") if one in data.splits)
    metric = f"{split}/{saved.config['trainer']['monitor'].partition('/')[2]}"
    deliver_run(saved.folder)
    note = delivered(saved.folder)
    store = tracking_uri(note.uri if note and MASK not in note.uri else "")
    client = MlflowClient(store)
    try:
        stored = note and "model" in {one.path for one in client.list_artifacts(note.mlflow_id)}
        if not note or not stored:
            raise UserError(
                f"run {saved.folder.name} has no model in {redact(store)}",
                "the artifact model/, which a finished run leaves unless tracking.keep=none",
                "no such artifact",
                f"{typed('sync')} brings it there if the run is finished",
            )
        set_up_device(saved.config)
        result = score_splits(load_best(saved.folder), saved.config, data, [split])
        try:
            holder = _holder(client, name, alias, runs, store)
        except NoRun:
            if not force:
                raise
            holder = None
        before = None
        if holder and holder.folder.resolve() == saved.folder.resolve():
            raise UserError(
                f"run {saved.folder.name} is {name}@{alias} already",
                "another run",
                f"run={saved.folder.name}",
                "choose another run, name or alias",
            )
        if holder:
            before = _score(holder, saved, data, split, force=force).get(metric)
            if before is not None and not force:
                _require_better(saved, metric, result[metric], before, f"{name}@{alias}")
        if not any(one.name == name for one in client.search_registered_models()):
            client.create_registered_model(name)
        source = _served(saved, client, note.mlflow_id)
        tags = {"reprise.run": saved.folder.name, metric: repr(result[metric])}
        tags |= {key: text for key, text in tags_of(saved.folder).items() if key in LINEAGE}
        made = client.create_model_version(
            name,
            source,
            note.mlflow_id,
            tags=tags,
            description=description(result, ()),
        )
        client.set_registered_model_alias(name, alias, made.version)
    except MlflowException as error:
        raise UserError(
            f"run {saved.folder.name} cannot be registered as {name}@{alias}",
            f"a registry of models in {redact(store)} that takes this name and alias",
            redact(str(error).splitlines()[0]),
            "correct name=… or alias=…, or start the store and promote again",
        ) from None
    return Promotion(
        str(made.version), metric, result[metric], before, holder.folder.name if holder else ""
    )


def _served(saved: SavedRun, client: Any, mlflow_id: str) -> str:
    """Have the model in MLflow as `make serve` takes it; returns its address.

    Raises:
        UserError: the store does not take it.
    """
    write_pyfunc(saved, saved.folder / SERVING)
    add_to_record(saved.folder, files=[SERVING])
    if SERVING not in {one.path for one in client.list_artifacts(mlflow_id)}:
        raise UserError(
            f"the model of run {saved.folder.name} could not be brought to MLflow",
            f"the artifact {SERVING}/",
            "no such artifact; the reason stands above",
            "mend it, and promote again",
        )
    return f"runs:/{mlflow_id}/{SERVING}"


def _holder(client: Any, name: str, alias: str, runs: Path, store: str) -> SavedRun | None:
    """The run whose model has the alias now."""
    for model in client.search_registered_models():
        if model.name == name and alias in model.aliases:
            return find_model(f"{name}@{alias}", runs, store)
    return None


def _score(
    holder: SavedRun, saved: SavedRun, data: Data, split: str, *, force: bool
) -> Mapping[str, float]:
    """Metrics of the present model on the new one's data; none if it takes other data and `force`.

    Raises:
        UserError: it takes other data.
    """
    try:
        match_specs(
            data.dataset,
            holder.specs,
            f"the model of run {holder.folder.name} takes other data, so that they do not compare",
            "choose another name=…, or replace it all the same: force=true",
        )
    except UserError:
        if force:
            return {}
        raise
    return score_splits(load_best(holder.folder), saved.config, data, [split])


def _require_better(saved: SavedRun, metric: str, value: float, before: float, model: str) -> None:
    is_lower = saved.config["trainer"]["monitor_mode"] == "min"
    if np.isnan(before) or (value < before if is_lower else value > before):
        return
    raise UserError(
        f"run {saved.folder.name} is not better than {model}",
        f"{metric} {'below' if is_lower else 'above'} {before:.4g}, on the same samples",
        f"{value:.4g}",
        "keep the present one, or replace it all the same: force=true",
    )


def models(uri: str = "") -> list[tuple[str, ...]]:
    """Versions of all registered models that reprise has promoted, the newest first.

    Returns:
        Of each its name, version, aliases, run, and the metric it was promoted by.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    store = tracking_uri(uri)
    client = MlflowClient(store)
    try:
        every = list(client.search_registered_models())
    except MlflowException as error:
        raise UserError(
            f"the registry in {redact(store)} cannot be asked",
            "a store of MLflow that answers",
            redact(str(error).splitlines()[0]),
            "start the store, or correct uri=…",
        ) from None
    found = []
    for model in every:
        for one in client.search_model_versions(f"name = '{model.name}'"):
            aliases = [alias for alias, at in model.aliases.items() if str(at) == str(one.version)]
            metric = next((f"{k} {float(v):.4g}" for k, v in one.tags.items() if "/" in k), "")
            run = one.tags.get("reprise.run") or one.run_id or ""
            found.append((model.name, str(one.version), ", ".join(aliases), run, metric))
    return sorted(found, key=lambda row: (row[0], -int(row[1])))
