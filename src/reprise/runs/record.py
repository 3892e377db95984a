"""The record of a run before its first step: config, split, code, data, libraries, machine."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reprise.config.compose import Composed, flatten
from reprise.config.secrets import redact
from reprise.files import discard_unused, link_or_copy
from reprise.project import ROOT
from reprise.runs.experiment import Data
from reprise.runs.folder import CONFIG, IDENTITY, PACKAGES, SNAPSHOT, SPECS, SPLITS
from reprise.tracking import provenance
from reprise.tracking.provenance import NOT_TRACKED, data_version
from reprise.tracking.snapshot import Snapshot, take_snapshot

if TYPE_CHECKING:
    from reprise.runs.update import Parent
    from reprise.tracking.run import Run

NAME_LENGTH = 100
VALUE_LENGTH = 24
# Overrides that a run's name leaves out.
UNNAMED = re.compile(r"(experiment|model|debug)$|tracking[.@]|loader\.workers$|.*pictures")


@dataclass(frozen=True)
class Record:
    """What is recorded of a run before its first step, made before there is a run.

    Args:
        files: Texts by name; run.json, by which a run is found, is written last.
        tags: Facts by name.
        params: Settings by dotted key.
        data: Name, hash and sources of the data.
        parent: Id of the run it starts from, or None.
        identity: What run.json holds, but for the run's id.
        snapshot: The project's code.
        shared: Folder of the snapshot's file.
    """

    files: Mapping[str, str]
    tags: Mapping[str, Any]
    params: Mapping[str, Any]
    data: tuple[str, str, str]
    parent: str | None
    identity: Mapping[str, Any]
    snapshot: Snapshot
    shared: Path

    def write(self, run: Run) -> None:
        """Write it into the run's folder, and record it."""
        for name, content in self.files.items():
            run.text(name, content)
        run.data(*self.data)
        if self.parent:
            run.child_of(self.parent)
        run.text(IDENTITY, json.dumps({"id": run.id, **self.identity}, indent=1))
        _write_snapshot(run, self.snapshot, self.shared)
        run.params(self.params)
        run.tags(self.tags)


def make_record(
    composed: Composed,
    data: Data,
    learned: Mapping[str, Any] | None = None,
    parent: Parent | None = None,
) -> Record:
    """Make the record of a run: config, split, code, data, libraries and machine.

    Args:
        composed: The run's configuration.
        data: What it trains on.
        learned: What the dataset learned from the train split.
        parent: The run it starts from, if there is one.
    """
    seen = data_version(ROOT, data.sources, data.dataset.stamp)
    if not seen.dvc.startswith(("verified", NOT_TRACKED)):
        print(f"note: the data: {seen.dvc}; the run records its own hash of it", file=sys.stderr)
    dataset, lock, choices = data.dataset, ROOT / "requirements.lock", composed.choices
    specs = {"input": dataset.input_spec.as_json(), "target": dataset.target_spec.as_json()}
    code_tags, code_files = provenance.code(ROOT)
    files = {
        CONFIG: yaml.safe_dump(dict(composed.values), sort_keys=False),
        SPLITS: json.dumps(data.members(), indent=0),
        SPECS: json.dumps(specs, indent=1),
        **({"learned.json": json.dumps(learned, indent=1)} if learned else {}),
        **({"excluded.csv": data.exclude.read_text("utf-8-sig")} if data.exclude else {}),
        PACKAGES: provenance.packages(),
        **({lock.name: lock.read_text("utf-8")} if lock.exists() else {}),
        **code_files,
    }
    sizes = {f"data.num_{split}": size for split, size in data.sizes().items()}
    tags: dict[str, Any] = {
        "data.digest": seen.digest,
        "data.dvc": seen.dvc,
        **{name: size for name, size in sizes.items() if size is not None},
        **code_tags,
        **provenance.machine(),
        **{"choice." + group: option for group, option in choices.items()},
    }
    if data.exclude:
        tags |= {"data.excluded": data.num_excluded, "data.exclude": str(data.exclude)}
    if dataset.notes:
        tags["data.notes"] = "\n".join(dataset.notes)
    params: dict[str, Any] = flatten(dict(composed.values))
    identity: dict[str, Any] = {"choices": choices, "data_digest": seen.digest}
    if parent:
        of = {"parent": parent.saved.folder.name, "old": parent.old}
        identity |= of
        tags["reprise.parent"] = of["parent"]
        params |= {f"update.{key}": value for key, value in of.items()}
    runs = ROOT / composed.values["tracking"]["runs"]
    sources = str([str(path) for path in dataset.sources])
    return Record(
        files,
        tags,
        params,
        (choices["dataset"], seen.digest, sources),
        parent.saved.folder.name if parent else None,
        identity,
        take_snapshot(ROOT, runs / ".code", [*data.sources, runs]),
        runs / ".code",
    )


def _write_snapshot(run: Run, found: Snapshot, folder: Path) -> None:
    """Record the project's code; runs of the same code share one file in `folder`."""
    bundle = folder / f"{found.tree}.bundle"
    if found.tree:
        recorded = run.folder / SNAPSHOT
        recorded.parent.mkdir(exist_ok=True)
        link_or_copy(bundle, recorded)
        run.artifact(recorded.parent)
        discard_unused(folder, "*.bundle")
    of = {"left_out": found.left_out, "redacted": found.redacted}
    texts = {"tree": found.tree, "project": found.project, "problem": found.problem}
    texts |= {name: ", ".join(files) for name, files in of.items()}
    run.tags({f"code.{name}": text for name, text in texts.items() if text})
    if found.problem:
        print(f"note: the code of this run cannot be rebuilt from its record: {found.problem}")
    elif found.left_out:
        print(f"note: not in the run's snapshot of the code: {texts['left_out']}")


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
