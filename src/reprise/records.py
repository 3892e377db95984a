"""What is written of a run before its first step, so that it can be understood and taken again."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from reprise.config.compose import Composed
from reprise.config.flatten import flatten
from reprise.experiment import Data
from reprise.parent import Parent
from reprise.project import ROOT
from reprise.run_folder import CONFIG, IDENTITY, SPECS, SPLITS
from reprise.tracking import provenance
from reprise.tracking.data_version import data_version
from reprise.tracking.run import Run


def write_records(
    run: Run,
    composed: Composed,
    data: Data,
    learned: Mapping[str, Any],
    parent: Parent | None = None,
) -> None:
    """Record config, split, code, data, libraries and machine, as files, params and tags.

    Args:
        run: Where to write.
        composed: The run's configuration.
        data: What it trains on.
        learned: What the dataset learned from the train split.
        parent: The run it starts from, if there is one.
    """
    dataset = data.dataset
    members = data.members()
    seen = data_version(ROOT, dataset.sources, dataset.stamp)
    tags, files = provenance.code(ROOT)
    identity: dict[str, Any] = {
        "id": run.id,
        "mlflow_id": run.mlflow_id,
        "choices": composed.choices,
        "data_digest": seen.digest,
    }
    if parent:
        identity |= {"parent": parent.recorded.folder.name, "old": parent.old}
        run.child_of(parent.recorded.mlflow_id)
        run.tags({"reprise.parent": identity["parent"]})
        run.params({"update.parent": identity["parent"], "update.old": parent.old})
    run.text(IDENTITY, json.dumps(identity, indent=1))
    run.text(CONFIG, yaml.safe_dump(dict(composed.values), sort_keys=False))
    run.text(SPLITS, json.dumps(members, indent=0))
    specs = {"input": dataset.input_spec.as_json(), "target": dataset.target_spec.as_json()}
    run.text(SPECS, json.dumps(specs, indent=1))
    if learned:
        run.text("learned.json", json.dumps(learned, indent=1))
    run.text("requirements.lock", (ROOT / "requirements.lock").read_text())
    for name, content in files.items():
        run.text(name, content)
    run.params(flatten(dict(composed.values)))
    run.data(composed.choices["dataset"], seen.digest, str([str(p) for p in dataset.sources]))
    run.tags(
        tags
        | provenance.machine()
        | {"choice." + group: option for group, option in composed.choices.items()}
        | {"data.digest": seen.digest, "data.dvc": seen.dvc}
        | {f"data.num_{split}": size for split, size in data.sizes().items() if size is not None}
    )
    if seen.dvc.startswith("changed"):
        print(f"note: the data has {seen.dvc}; the run records its own hash of it")
