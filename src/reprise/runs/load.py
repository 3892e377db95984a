"""Read a run from its folder: its record, its data and its best model."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from reprise.datasets.base import BaseDataset, Dataset
from reprise.errors import UserError, in_one_line
from reprise.project import ROOT, relative
from reprise.runs.experiment import Data, open_data
from reprise.runs.folder import (
    CHECKPOINTS,
    CONFIG,
    IDENTITY,
    RESULT,
    SPECS,
    SPLITS,
    UNREADABLE,
    keep_of,
)
from reprise.runs.inputs import changed_inputs
from reprise.spec import Spec
from reprise.tracking.folders import LAST, all_runs, experiment_of, is_debug, run_folders
from reprise.tracking.journal import delivered, tags_of
from reprise.training.state import BEST

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SavedRun:
    """The record of a run, as its folder holds it.

    Args:
        folder: Its folder, whose name is its id.
        runs: The folder of all runs that it is in.
        choices: Option chosen for each config group.
        config: The resolved config, passwords masked.
        splits: Names of the samples in each split; of a stream how many, and by which rule.
        specs: The dataset's `input` and `target`, with what was learned from the train split.
        parent: Id of the run whose model it started from, or None.
        old: Fraction of that run's data that is mixed with its own.
        data_digest: Hash of its data when it began; None in runs that recorded none.
    """

    folder: Path
    runs: Path
    choices: Mapping[str, str]
    config: Mapping[str, Any]
    splits: Mapping[str, Any]
    specs: Mapping[str, Spec]
    parent: str | None = None
    old: float = 0.0
    data_digest: str | None = None

    @property
    def experiment(self) -> str:
        """Name of its experiment."""
        return experiment_of(self.folder) or self.folder.parent.name

    @property
    def backend(self) -> str:
        """Backend of Keras that trained it."""
        return tags_of(self.folder).get("backend", "tensorflow")

    def use_backend(self, *, exactly: bool = False) -> None:
        """Have Keras run on the run's backend, unless KERAS_BACKEND names another one.

        Args:
            exactly: Refuse another one: it computes other numbers.

        Raises:
            UserError: it is another one.
        """
        if "keras" in sys.modules:
            now = sys.modules["keras"].backend.backend()
        else:
            now = os.environ.setdefault("KERAS_BACKEND", self.backend)
        if exactly and now != self.backend:
            raise UserError(
                f"run {self.folder.name} was trained on another backend of Keras",
                f"KERAS_BACKEND={self.backend}, which alone gives its numbers bit for bit",
                f"KERAS_BACKEND={now}",
                "unset KERAS_BACKEND: the run's own is then taken",
            )


class NoRun(UserError):
    """There is no such run in the folder of all runs."""


def find(run: str, runs: Path) -> SavedRun:
    """Find a run by its id, its path, MLflow's id of it, or as `last`.

    Args:
        run: What names it. `last` is the run in `runs` that began last: a job of a sweep or an
            update can be it; a sweep as such, and the runs of debug=… in runs/debug, cannot.
        runs: Folder of all runs. Under runs/debug, all other runs are found as well, but `last`.

    Raises:
        UserError: there is no such run, there are several, or its record cannot be read.
    """
    every = all_runs(runs)
    folders = run_folders(every, IDENTITY)
    if run == LAST:
        found = [folder for folder in folders if folder.resolve() == _last(runs, folders)]
    else:
        found = [folder for folder in folders if run in (folder.name, str(folder))]
        paths = {(place / run).resolve() for place in (every, ROOT)}
        found = found or [folder for folder in folders if folder.resolve() in paths]
        stored = [f for f in folders if (to := delivered(f)) and to.mlflow_id == run]
        originals = [f for f in stored if (to := delivered(f)) and to.run in ("", f.name)]
        found = found or originals or stored
    newest = ", ".join(sorted(folder.name for folder in folders)[-5:]) or "none"
    if not found:
        lost = ""
        if run == LAST and (runs / LAST).is_symlink():
            lost = f", a link to {(runs / LAST).readlink()}, where no run has left its record"
        raise NoRun(
            f"no run '{run}'",
            expected=f"the id of a run under {relative(runs)}/, MLflow's id of it, or 'last'",
            received=f"run={run}{lost}; the newest runs are: {newest}",
            remedy="give one of these ids, or train one: make train exp=NAME",
        )
    if len(found) > 1:
        raise UserError(
            f"several runs are '{run}'",
            expected="one folder: a copy has another name",
            received="\n".join(relative(folder) for folder in found),
            remedy=f"give the path of one: run={relative(found[0])}, or move the copy away",
        )
    try:
        return read_record(found[0], every)
    except UNREADABLE as error:
        raise UserError(
            f"the record of run {found[0].name} cannot be read",
            expected=f"{IDENTITY}, {CONFIG}, {SPLITS} and {SPECS} in {relative(found[0])}",
            received=repr(error),
            remedy="copy the whole folder again, or take another run",
        ) from None


def _last(runs: Path, folders: list[Path]) -> Path | None:
    """The run that began last, as the link says or, where there is no link, by its id."""
    if (runs / LAST).is_symlink():
        return (runs / LAST).resolve()
    own = [f for f in folders if f.is_relative_to(runs) and not is_debug(f, runs)]
    return max(own, key=lambda folder: folder.name).resolve() if own else None


def read_record(folder: Path, runs: Path) -> SavedRun:
    """Read the record of the run in `folder`; raises one of `UNREADABLE` where it is damaged."""
    identity = json.loads((folder / IDENTITY).read_text())
    specs = json.loads((folder / SPECS).read_text())
    return SavedRun(
        folder,
        runs,
        identity["choices"],
        yaml.safe_load((folder / CONFIG).read_text()),
        json.loads((folder / SPLITS).read_text()),
        {part: Spec.from_json(read) for part, read in specs.items()},
        identity.get("parent"),
        identity.get("old", 0.0),
        identity.get("data_digest"),
    )


def open_saved_data(saved: SavedRun, config: Mapping[str, Any] | None = None) -> Data:
    """Open the data of a run with its recorded splits and what was learned from them.

    Args:
        saved: The run.
        config: Its config, where that is no longer the recorded one.

    Raises:
        UserError: a sample is missing, the data has another shape or other classes than then, or
            it cannot be read.
    """
    data = open_data(config or saved.config)
    match_specs(
        data.dataset,
        saved.specs,
        "the data is no longer what the run was trained on",
        "bring the data back to the version that the run's tag data.digest names",
    )
    for part, then in saved.specs.items():
        setattr(data.dataset, f"{part}_spec", then)
    if saved.parent and saved.old:
        from reprise.datasets.mixed import Mixed

        old = open_saved_data(find(saved.parent, saved.runs)).dataset
        assert isinstance(data.dataset, Dataset)
        assert isinstance(old, Dataset)
        data = replace(data, dataset=Mixed(data.dataset, old))
    data = replace(data, splits=data.dataset.restore(saved.splits, data.splits))
    for change in _changes(saved, data):
        print(f"note: the data of run {saved.folder.name} has changed: {change}", file=sys.stderr)
    return data


def _changes(saved: SavedRun, data: Data) -> Iterator[str]:
    """What tells the data from that which the run was trained on, as far as it is cheap."""
    if now := changed_digest(saved, data):
        yield f"its digest was {saved.data_digest}, and is {now}"
    yield from changed_inputs(saved)
    if saved.parent or not data.dataset.in_memory or saved.config["dataset"].get("memory_map"):
        return  # an update has its parent's mean and deviation
    data.learn()  # what rows in another order, or one edited, change, and not a file's size
    for part, then in saved.specs.items():
        now_spec: Spec = getattr(data.dataset, f"{part}_spec")
        for word, field in (("mean", "offset"), ("deviation", "scale"), ("number", "counts")):
            ours, theirs = getattr(now_spec, field), getattr(then, field)
            if len(ours) == len(theirs) and not np.allclose(ours, theirs, rtol=1e-6, atol=1e-12):
                at = int(np.argmax(~np.isclose(ours, theirs, rtol=1e-6, atol=1e-12)))
                names = then.classes if field == "counts" else then.names
                name = f"'{names[at]}'" if names else f"entry {at}"
                yield (
                    f"in the train split the {word} of {name} ({part}) was {theirs[at]:.6g}, and "
                    f"is {ours[at]:.6g}"
                )
                break
        setattr(data.dataset, f"{part}_spec", then)


def changed_digest(saved: SavedRun, data: Data) -> str | None:
    """The hash of a run's data today; None where it is the recorded one."""
    from reprise.tracking.provenance import data_version

    now = data_version(ROOT, data.sources, data.dataset.stamp).digest
    return None if saved.data_digest in (None, now) else now


def match_specs(
    dataset: BaseDataset[Any], specs: Mapping[str, Spec], what: str, remedy: str
) -> None:
    """Have a dataset give its arrays as a model was trained on them: columns by their names.

    Args:
        dataset: The dataset. The same columns in another order are brought into the model's.
        specs: Of the arrays that the model was trained on, `input` and `target`.
        what: The error's first line, without the part and the property that differ.
        remedy: Its last.

    Raises:
        UserError: names, shape, dtype or classes differ.
    """
    for part, then in specs.items():
        now: Spec = getattr(dataset, f"{part}_spec")
        if then.names != now.names and sorted(then.names) == sorted(now.names):
            dataset.arrange("input" if part == "input" else "target", then.names)
            now = getattr(dataset, f"{part}_spec")
        for field in ("names", "shape", "dtype", "classes", "ignore"):
            ours, theirs = getattr(now, field), getattr(then, field)
            if ours == theirs or (field == "names" and not (ours and theirs)):
                continue  # runs recorded no names before 28 November 2026
            raise UserError(
                f"{what}: {field} of the {part}",
                expected=_said(theirs),
                received=_said(ours) + _difference(ours, theirs),
                remedy=remedy,
            )


def _said(value: Any) -> str:
    names = isinstance(value, tuple) and any(isinstance(one, str) for one in value)
    return ", ".join(value) if names else str(value)


def _difference(ours: Any, theirs: Any) -> str:
    """What is new and what is missing of names."""
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple):
        return ""
    new = [str(one) for one in ours if isinstance(one, str) and one not in theirs]
    missing = [str(one) for one in theirs if isinstance(one, str) and one not in ours]
    said = [f"{word}: {', '.join(of)}" for word, of in (("new", new), ("missing", missing)) if of]
    return f" ({'; '.join(said)})" if said else ""


def load_best(folder: Path) -> keras.Model:
    """Load the best model of the run in `folder`, not compiled.

    Raises:
        UserError: the run has none, it is damaged, or a class of it is gone.
    """
    import keras

    file = require_best(folder)
    try:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{file.stat().st_size} bytes that are cut short, or no Keras file")
        return keras.models.load_model(file, compile=False)
    except (ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"the model of run {folder.name} cannot be loaded",
            f"{relative(file)} as the run has written it, and the classes of its layers",
            in_one_line(error)[:400],
            "copy the file again, or bring the code of its layers back: run.json has its commit",
        ) from None


def require_best(folder: Path) -> Path:
    """The file of the best model of the run in `folder`.

    Raises:
        UserError: the run has none.
    """
    path = folder / CHECKPOINTS / BEST
    if path.exists():
        return path
    is_finished = (folder / RESULT).exists()
    kept_none = is_finished and keep_of(folder) == "none"
    raise UserError(
        f"{path.name} is missing",
        expected=f"the best checkpoint of run {folder.name} in {path.parent}",
        received="no such file: the run was trained with tracking.keep=none"
        if kept_none
        else "no such file: it has been deleted since the run has finished"
        if is_finished
        else "no such file: the run has not finished an epoch",
        remedy="train it again with tracking.keep=best"
        if kept_none
        else "choose a run that has; runs/ holds them all",
    )
