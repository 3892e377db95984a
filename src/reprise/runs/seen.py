"""Read from a run's folder what a comparison needs, whatever state the run is in."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from reprise.config.compose import Scalar, flatten
from reprise.runs.compare_seen import Seen
from reprise.runs.folder import CONFIG, IDENTITY, RESULT, describe
from reprise.tracking.journal import metric_history, params_of, tags_of

# Where it is recorded, what the choices say, and what no batch and no weight depends on.
NO_SETTING = re.compile(r"tracking\.|\w+\._target_$|trainer\.(pictures_every|num_pictures)$")


def see(folder: Path) -> Seen:
    """Read the run in `folder`; it may be at work meanwhile."""
    identity = json.loads((folder / IDENTITY).read_text())
    config = yaml.safe_load((folder / CONFIG).read_text())
    history, trainer = metric_history(folder), config["trainer"]
    settings = {key: _said(value) for key, value in flatten(config).items()}
    params = params_of(folder) | settings  # the file knows what a resumed run has changed
    return Seen(
        id=folder.name,
        status=_status(folder),
        choices={"experiment": folder.parent.name}
        | {group: own for group, own in identity["choices"].items() if group != "experiment"},
        params={key: own for key, own in params.items() if not NO_SETTING.match(key)},
        metrics=_metrics(folder, history, trainer["monitor"], trainer["monitor_mode"]),
        history=history,
        data=identity.get("data_digest") or "",
        code=_code(folder),
        monitor=trainer["monitor"],
        mode=trainer["monitor_mode"],
    )


def _status(folder: Path) -> str:
    """`finished`, or how many epochs of how many: `running 3/8`."""
    words = describe(folder)
    progress = re.match(r"(\w+), (\d+) of (\d+)", words)
    return "{} {}/{}".format(*progress.groups()) if progress else words.partition(",")[0]


def _metrics(
    folder: Path, history: Mapping[str, Mapping[int, float]], monitor: str, mode: str
) -> dict[str, float]:
    """The result, or what validation said at the epoch that was best so far."""
    if (folder / RESULT).exists():
        return dict(json.loads((folder / RESULT).read_text()))
    judged = history.get(monitor, {})
    if not judged:
        return {}
    best = (min if mode == "min" else max)(judged, key=lambda epoch: judged[epoch])
    return {
        name: values[best]
        for name, values in history.items()
        if name.startswith("valid/") and best in values
    }


def _code(folder: Path) -> str:
    """The commit, and after a `+` a hash of what was not committed."""
    commit, patch = tags_of(folder).get("git.commit", ""), folder / "code/changes.patch"
    changed = "+" + hashlib.sha256(patch.read_bytes()).hexdigest() if patch.exists() else ""
    return commit.partition(":")[0] + changed


def _said(value: Scalar) -> str:
    """A value as one would type it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
