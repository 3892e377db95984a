"""Summary of a run in any state, read from its folder."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from reprise.config.compose import Scalar, flatten
from reprise.runs.folder import CONFIG, IDENTITY, RESULT, epochs_done, state_of
from reprise.tracking.journal import metric_history, params_of, tags_of

# Keys that say where a run is recorded, repeat a choice, or change neither batches nor weights.
NO_SETTING = re.compile(r"tracking\.|\w+\._target_$|trainer\.(pictures_every|num_pictures)$")

History = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class RunSummary:
    """A run as its folder describes it.

    Args:
        id: Its id.
        status: `finished`, `running 3/8` (epochs) and the like.
        choices: The experiment, and the option chosen for each group.
        params: Every setting by its dotted key, as text.
        metrics: `<split>/<metric>` of its best model; without a result, of the best epoch so far.
        history: `{metric: {epoch: value}}`.
        data: Hash of its data.
        code: Its commit, followed by `+` and a hash if there were uncommitted changes.
        monitor: The metric that decides which epoch is best, such as `valid/iou`.
        mode: Whether a larger or a smaller value of it is better: `max` or `min`.
    """

    id: str
    status: str
    choices: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    history: History
    data: str
    code: str
    monitor: str
    mode: str


def read_summary(folder: Path) -> RunSummary:
    """Read the folder of a run, which may be training meanwhile."""
    identity = json.loads((folder / IDENTITY).read_text())
    config = yaml.safe_load((folder / CONFIG).read_text())
    monitor, mode = config["trainer"]["monitor"], config["trainer"]["monitor_mode"]
    state = state_of(folder)
    choices = {**identity["choices"], "experiment": folder.parent.name}
    settings = {key: _as_typed(value) for key, value in flatten(config).items()}
    params = params_of(folder) | settings  # the file has what a resumed run has changed
    history = metric_history(folder)
    return RunSummary(
        id=folder.name,
        status=f"{state} {epochs_done(folder)}/{config['trainer']['epochs']}"
        if state in ("running", "failed", "stopped")
        else state,
        choices=choices,
        params={k: v for k, v in params.items() if k not in choices and not NO_SETTING.match(k)},
        metrics=_metrics(folder, history, monitor, mode),
        history=history,
        data=identity.get("data_digest") or "",
        code=_code(folder),
        monitor=monitor,
        mode=mode,
    )


def _metrics(folder: Path, history: History, monitor: str, mode: str) -> dict[str, float]:
    if (folder / RESULT).exists():
        return json.loads((folder / RESULT).read_text())
    monitored = history.get(monitor)
    if not monitored:
        return {}
    best = (min if mode == "min" else max)(monitored, key=lambda epoch: monitored[epoch])
    return {
        name: values[best]
        for name, values in history.items()
        if name.startswith("valid/") and best in values
    }


def _code(folder: Path) -> str:
    commit, patch = tags_of(folder).get("git.commit", ""), folder / "code/changes.patch"
    changed = "+" + hashlib.sha256(patch.read_bytes()).hexdigest() if patch.exists() else ""
    return commit.partition(":")[0] + changed


def _as_typed(value: Scalar) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
