"""The record of a run before its first step: config, split, code, data, libraries, machine."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reprise.config.compose import Composed, flatten
from reprise.config.secrets import redact
from reprise.project import ROOT
from reprise.runs.experiment import Data
from reprise.runs.folder import CONFIG, IDENTITY, SNAPSHOT, SPECS, SPLITS
from reprise.tracking import provenance
from reprise.tracking.provenance import DataVersion, data_version
from reprise.tracking.snapshot import Snapshot, take_snapshot

if TYPE_CHECKING:
    from reprise.runs.update import Parent
    from reprise.tracking.run import Run

NAME_LENGTH = 100
VALUE_LENGTH = 24
UNUSED_S = 86400  # a run that begins may be about to use a file of the code
# Overrides that a run's name leaves out.
UNNAMED = re.compile(r"(experiment|model|debug)$|tracking[.@]|loader\.workers$|.*pictures")


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
    seen = data_version(ROOT, data.sources, data.dataset.stamp)
    run.text(CONFIG, yaml.safe_dump(dict(composed.values), sort_keys=False))
    _write_data(run, composed, data, learned, seen)
    _write_identity(run, composed, seen.digest, parent)  # by which the run is found: after these
    lock = ROOT / "requirements.lock"
    run.text("requirements.lock", lock.read_text() if lock.exists() else _installed())
    tags, files = provenance.code(ROOT)
    for name, content in files.items():
        run.text(name, content)
    shared = ROOT / composed.values["tracking"]["runs"] / ".code"
    _write_snapshot(run, take_snapshot(ROOT, shared, data.sources), shared)
    run.params(flatten(dict(composed.values)))
    choices = {"choice." + group: option for group, option in composed.choices.items()}
    run.tags({**tags, **provenance.machine(), **device, **choices})


def _write_snapshot(run: Run, found: Snapshot, folder: Path) -> None:
    """Record the project's code; runs of the same code share one file in `folder`."""
    bundle = folder / f"{found.tree}.bundle"
    if found.tree:
        recorded = run.folder / SNAPSHOT
        recorded.parent.mkdir(exist_ok=True)
        try:
            recorded.hardlink_to(bundle)
        except OSError:  # a disk without hard links
            shutil.copy(bundle, recorded)
        run.artifact(recorded.parent)
        for old in folder.glob("*.bundle"):  # those that no run is left to use
            if old.stat().st_nlink == 1 and old.stat().st_mtime < time.time() - UNUSED_S:
                old.unlink()
    of = {"left_out": found.left_out, "redacted": found.redacted}
    texts = {"tree": found.tree, "problem": found.problem}
    texts |= {name: ", ".join(files) for name, files in of.items()}
    run.tags({f"code.{name}": text for name, text in texts.items() if text})
    if found.problem:
        print(f"note: the code of this run cannot be rebuilt from its record: {found.problem}")
    elif found.left_out:
        print(f"note: not in the run's snapshot of the code: {texts['left_out']}")


def _installed() -> str:
    """List the installed packages, for a project that has locked none."""
    found = {f"{one.name}=={one.version}\n" for one in importlib.metadata.distributions()}
    return "".join(sorted(found))


def _write_identity(run: Run, composed: Composed, digest: str, parent: Parent | None) -> None:
    """Record which run this is, and which one it starts from."""
    identity: dict[str, Any] = {
        "id": run.id,
        "choices": composed.choices,
        "data_digest": digest,
    }
    if parent:
        identity |= {"parent": parent.saved.folder.name, "old": parent.old}
        run.child_of(parent.saved.folder.name)
        run.tags({"reprise.parent": identity["parent"]})
        run.params({"update.parent": identity["parent"], "update.old": parent.old})
    run.text(IDENTITY, json.dumps(identity, indent=1))


def _write_data(
    run: Run, composed: Composed, data: Data, learned: Mapping[str, Any], seen: DataVersion
) -> None:
    """Record the samples of each split, the specs, and what was learned from the train split."""
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
    if data.exclude:
        run.tags({"data.excluded": data.num_excluded, "data.exclude": str(data.exclude)})
        run.text("excluded.csv", data.exclude.read_text("utf-8-sig"))
    if dataset.notes:
        run.tags({"data.notes": "\n".join(dataset.notes)})
    if seen.dvc.startswith("changed"):
        print(f"note: the data has {seen.dvc}; the run records its own hash of it")


def run_name(composed: Composed, run: str, parent: Parent | None = None) -> str:
    """The model, the end of the id, and what was asked for: `cnn a766 learning_rate=0.01`.

    The UI shows some twenty letters in its list, so what always differs comes early.

    Args:
        composed: Its configuration.
        run: Its id.
        parent: The run it starts from.
    """
    # of an update, the overrides are the parent's whole configuration
    what = f"update of {_end(parent.saved.folder.name)}" if parent else _asked(composed.overrides)
    name = f"{composed.choices['model']} {_end(run)} {what}".strip()
    return _cut(name, NAME_LENGTH)


def _asked(overrides: list[str]) -> str:
    """The overrides as typed, each by the last word of its key; of a path its last part."""
    shown = []
    for word in overrides:
        key, equals, value = redact(word).lstrip("+").partition("=")
        if not UNNAMED.match(key):
            short = key.rpartition(".")[2]
            last = value if "," in value else value.rstrip("/").rpartition("/")[2]
            shown.append(f"{short}{equals}{_cut(last, VALUE_LENGTH)}")
    return " ".join(shown)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _end(run: str) -> str:
    return run.rpartition("-")[2]
