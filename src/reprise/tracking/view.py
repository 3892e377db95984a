"""A view of an experiment's runs for MLflow's UI, under *Views* there: columns worth comparing."""

import base64
import json
import time
import zlib
from typing import Any

NAME = "results"
# What the objectives measure, and what runs most often differ in; the UI leaves out what none has.
METRICS = ("accuracy", "iou", "f1", "mae", "rmse", "r2", "loss")
PARAMS = ("optimizer.learning_rate", "loader.batch_size", "trainer.epochs", "seed")
TAGS = ("choice.model", "reprise.run", "sweep.id", "data.digest", "git.commit")


def results_view() -> dict[str, str]:
    """The experiment's tag that holds the view, as release 3.17 of MLflow's UI writes it."""
    columns = [f"metrics.`{split}/{name}`" for name in METRICS for split in ("test", "best/valid")]
    columns += [f"params.`{name}`" for name in PARAMS] + [f"tags.`{name}`" for name in TAGS]
    state: dict[str, Any] = {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
    }
    now = int(time.time() * 1000)
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    view = {"name": NAME, "createdAt": now, "updatedAt": now, "state": f"deflate;{packed}"}
    return {f"mlflow.sharedViewState.{NAME}": json.dumps(view)}
