"""Folders of runs as training leaves them, without training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from reprise.runs.folder import CONFIG, IDENTITY, RESULT, SPECS, SPLITS, STATE
from reprise.spec import Spec
from reprise.tracking.journal import Journal
from reprise.training.state import State, write_state


def write_run(
    runs: Path,
    run: str,
    *,
    experiment: str = "digits",
    settings: Mapping[str, Any] | None = None,
    result: Mapping[str, float] | None = None,
    epochs: int = 3,
    data_digest: str = "d" * 32,
    commit: str = "c" * 40,
) -> Path:
    """Write a run of a small network that has done `epochs` of 8.

    Args:
        runs: Where runs are.
        run: Its id.
        experiment: Its experiment.
        settings: Values of conf/optimizer/ that are not 1e-3 for `learning_rate`.
        result: Its result, once it is finished.
        epochs: Of which there are numbers; `valid/iou` rises with them but in the last one.
        data_digest: Hash of its data.
        commit: Of its code.
    """
    folder = runs / experiment / run
    folder.mkdir(parents=True)
    trainer = {"epochs": 8, "monitor": "valid/iou", "monitor_mode": "max", "pictures_every": None}
    optimizer = {"_target_": "a.b", "learning_rate": 1e-3, **(settings or {})}
    tracking = {"_target_": "a.c", "runs": str(runs), "uri": run}
    config = {"optimizer": optimizer, "trainer": trainer, "tracking": tracking}
    (folder / CONFIG).write_text(yaml.safe_dump(config))
    choices = {"model": "unet", "optimizer": "adam", "experiment": experiment}
    identity = {"id": run, "choices": choices, "data_digest": data_digest}
    (folder / IDENTITY).write_text(json.dumps(identity))
    (folder / SPLITS).write_text("{}")
    spec = Spec((1,), "float32").as_json()
    (folder / SPECS).write_text(json.dumps({"input": spec, "target": spec}))
    journal = Journal(folder, failed=lambda error: None)
    journal.add("start", experiment=experiment, name=run, uri="sqlite:///x")
    journal.add("params", values={"model.num_parameters": "99", "optimizer.learning_rate": "0.001"})
    journal.add("tags", values={"git.commit": commit})
    for epoch in range(1, epochs + 1):
        iou = 0.1 * epoch if epoch < epochs else 0.05
        values = {"valid/iou": iou, "valid/loss": 1 / epoch, "train/loss": 2 / epoch}
        journal.add("metrics", values=values, step=epoch)
    write_state(folder / STATE, State(4 * epochs, {"w": np.ones(2)}, {"epoch": epochs}))
    if result is not None:
        (folder / RESULT).write_text(json.dumps(result))
        journal.add("status", status="FINISHED")
    return folder
