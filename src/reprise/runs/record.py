"""What is written of a run before its first step, so that it can be understood and taken again."""

import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

import yaml

from reprise.config.compose import Composed, flatten
from reprise.project import ROOT
from reprise.runs.experiment import Data
from reprise.runs.folder import CONFIG, IDENTITY, SPECS, SPLITS
from reprise.runs.parent import Parent
from reprise.tracking import provenance
from reprise.tracking.provenance import DataVersion, data_version
from reprise.tracking.run import Run


def write_records(
    run: Run,
    composed: Composed,
    data: Data,
    learned: Mapping[str, Any],
    device: Mapping[str, str],
    parent: Parent | None = None,
) -> None:
    """Record config, split, code, data, libraries and machine, as files, params and tags.

    Args:
        run: Where to write.
        composed: The run's configuration.
        data: What it trains on.
        learned: What the dataset learned from the train split.
        device: What trains, as `set_up` says it.
        parent: The run it starts from, if there is one.
    """
    seen = data_version(ROOT, data.dataset.sources, data.dataset.stamp)
    run.text(CONFIG, yaml.safe_dump(dict(composed.values), sort_keys=False))
    _write_data(run, composed, data, learned, seen)
    _write_identity(run, composed, seen.digest, parent)  # by which the run is found: after these
    lock = ROOT / "requirements.lock"
    run.text("requirements.lock", lock.read_text() if lock.exists() else _installed())
    tags, files = provenance.code(ROOT)
    for name, content in files.items():
        run.text(name, content)
    run.params(flatten(dict(composed.values)))
    choices = {"choice." + group: option for group, option in composed.choices.items()}
    run.tags({**tags, **provenance.machine(), **device, **choices})


def _installed() -> str:
    """List the installed packages, for a project that has locked none."""
    found = {f"{one.name}=={one.version}\n" for one in importlib.metadata.distributions()}
    return "".join(sorted(found))


def _write_identity(run: Run, composed: Composed, digest: str, parent: Parent | None) -> None:
    """Write down which run this is, and which one it starts from."""
    identity: dict[str, Any] = {
        "id": run.id,
        "choices": composed.choices,
        "data_digest": digest,
    }
    if parent:
        identity |= {"parent": parent.recorded.folder.name, "old": parent.old}
        run.child_of(parent.recorded.folder.name)
        run.tags({"reprise.parent": identity["parent"]})
        run.params({"update.parent": identity["parent"], "update.old": parent.old})
    run.text(IDENTITY, json.dumps(identity, indent=1))


def _write_data(
    run: Run, composed: Composed, data: Data, learned: Mapping[str, Any], seen: DataVersion
) -> None:
    """Write down which samples were in which split, what they are, and what they have taught."""
    dataset = data.dataset
    run.text(SPLITS, json.dumps(data.members(), indent=0))
    specs = {"input": dataset.input_spec.as_json(), "target": dataset.target_spec.as_json()}
    run.text(SPECS, json.dumps(specs, indent=1))
    if learned:
        run.text("learned.json", json.dumps(learned, indent=1))
    run.data(composed.choices["dataset"], seen.digest, str([str(p) for p in dataset.sources]))
    run.tags({"data.digest": seen.digest, "data.dvc": seen.dvc})
    sizes = {f"data.num_{split}": size for split, size in data.sizes().items()}
    run.tags({name: size for name, size in sizes.items() if size is not None})
    if seen.dvc.startswith("changed"):
        print(f"note: the data has {seen.dvc}; the run records its own hash of it")
