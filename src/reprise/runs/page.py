"""Pages of runs in MLflow's UI: their addresses, and the columns of an experiment's table."""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from reprise.project import ROOT, typed
from reprise.runs.folder import UNREADABLE, to_type
from reprise.tracking.folders import home, is_debug, name_in
from reprise.tracking.journal import delivered, of_all_classes
from reprise.tracking.settings import tracking_uri

PORT = "5000"
OF_TRAINING = "workflowType=machine_learning"  # or MLflow's UI opens its pages for language models
VIEW = "results"  # name of the columns, under Views at the top right of the table
WIDTH = 115  # pixels of a column
METRICS, SETTINGS = 4, 8  # columns of them at most
RUNS = 200  # the newest ones, by which the columns are chosen


def local(port: str = PORT) -> str:
    """The address of the UI that `make ui` starts."""
    return f"http://127.0.0.1:{port}"


def run_page(folder: Path) -> str:
    """The address of a run's page, or where no server has it, the command that starts one."""
    known = delivered(folder)
    if known and known.uri.startswith("http"):
        return f"{known.uri}/#/runs/{known.mlflow_id}?{OF_TRAINING}"
    if known and (info := _info(local(), known.mlflow_id)):
        return (
            f"{local()}/#/experiments/{info['experiment_id']}/runs/{info['run_id']}?{OF_TRAINING}"
        )
    runs = home(folder)
    words = [f"uri={known.uri}"] if known and known.uri != tracking_uri(None) else []
    if runs == ROOT / "runs" and not is_debug(folder, runs) and not words:
        return typed("ui")
    word = "exp" if typed("ui").startswith("make") else "experiment"
    return to_type("ui", f"{word}={name_in(folder, runs)}", runs, *words)


def experiment_page(server: str, folders: Sequence[Path]) -> str:
    """The address of the page of an experiment, which gets columns that tell its runs apart.

    Args:
        server: The server's address. It answers.
        folders: Runs of the experiment, the oldest first.
    """
    ids = [known.mlflow_id for folder in folders if (known := delivered(folder))]
    info = next(filter(None, (_info(server, one) for one in ids[: -RUNS - 1 : -1])), None)
    if info is None:
        return f"{server}/#/experiments?{OF_TRAINING}"
    page = f"{_experiment(server, info)}/runs?{OF_TRAINING}"
    tag = {"key": f"mlflow.sharedViewState.{VIEW}", "value": view(columns(folders[-RUNS:]))}
    try:
        _ask(server, "experiments/set-experiment-tag", experiment_id=info["experiment_id"], **tag)
    except (OSError, ValueError):
        return page
    return f"{page}&viewStateShareKey={VIEW}"


def columns(folders: Sequence[Path]) -> list[str]:
    """Columns by which runs are told apart, by MLflow's names: first metrics, then settings.

    Args:
        folders: The runs.
    """
    from reprise.runs.compare import changed_settings, metric_names, read_summary

    read = []
    for folder in reversed(folders):
        with suppress(*UNREADABLE):
            read.append(read_summary(folder))
    if not read:
        return []
    metrics = of_all_classes(metric_names(read))[:METRICS]
    named = [f"best/{name}" if name.startswith("valid/") else name for name in metrics]
    changed = [*changed_settings(read)][:SETTINGS]
    of_choice = {key for run in read for key in run.choices}
    return [f"metrics.`{name}`" for name in named] + [
        f"tags.`choice.{key}`" if key in of_choice else f"params.`{key}`" for key in changed
    ]


def view(selected: Sequence[str]) -> str:
    """A saved view of a table of runs, as the UI of MLflow 3.15 and newer stores it.

    It is what *Views*, *Save as new view* there writes into a tag of the experiment. Another
    release that does not know it shows its own columns.

    Args:
        selected: The columns.
    """
    shown = ["attributes.`Run Name`", "attributes.`Created`", *selected]
    state: dict[str, Any] = {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": shown[1:],
        "columnOrder": shown,
        "columnWidths": dict.fromkeys(selected, WIDTH),
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    now = int(time.time() * 1000)
    return json.dumps({"name": VIEW, "createdAt": now, "state": f"deflate;{packed}"})


def _experiment(server: str, info: Mapping[str, str]) -> str:
    return f"{server}/#/experiments/{info['experiment_id']}"


def _info(server: str, run_id: str) -> Mapping[str, str] | None:
    """What a server says of a run; None: it does not answer, or has no such run."""
    try:
        return _ask(server, f"runs/get?run_id={run_id}")["run"]["info"]
    except (OSError, ValueError, KeyError):
        return None


def _ask(server: str, what: str, **content: Any) -> dict[str, Any]:
    data = json.dumps(content).encode() if content else None
    head = {"Content-Type": "application/json"}
    request = Request(f"{server}/api/2.0/mlflow/{what}", data, head)
    with urlopen(request, timeout=5) as answer:
        return json.load(answer)
