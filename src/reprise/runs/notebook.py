"""Runs as Python objects, for notebooks and scripts: what `import reprise` gives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from reprise import project
from reprise.config.overrides import quoted
from reprise.datasets.base import Dataset, Sample
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.compare import read_summary
from reprise.runs.folder import IDENTITY, RESULT, UNREADABLE, state_of
from reprise.runs.load import SavedRun, find, open_saved_data
from reprise.runs.predict import predict, read_options
from reprise.runs.predictor import Predictor, open_predictor
from reprise.runs.registered import find_model
from reprise.tracking.folders import is_debug, run_folders
from reprise.tracking.journal import metric_history, tags_of

if TYPE_CHECKING:
    import keras
    from PIL.Image import Image

    from reprise.runs.experiment import Data

Paths = str | Path | Sequence[str | Path]


class Run:
    """A recorded run: its config, metrics, data and best model.

    Args:
        saved: Its record, from `reprise.runs.load.find`.
    """

    def __init__(self, saved: SavedRun) -> None:
        self._saved = saved

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.experiment}, {self.status}>"

    @property
    def id(self) -> str:
        """Its id, the name of its folder."""
        return self.folder.name

    @property
    def experiment(self) -> str:
        """Name of its experiment."""
        return self._saved.experiment

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._saved.folder.resolve()

    @property
    def status(self) -> str:
        """`finished`, `running`, `stopped` or `failed`."""
        return state_of(self.folder)

    @property
    def config(self) -> Mapping[str, Any]:
        """Its config, resolved: `run.config["trainer"]["epochs"]`. Passwords are masked."""
        return self._saved.config

    @property
    def tags(self) -> Mapping[str, str]:
        """What else it recorded: commit, device, hash of its weights."""
        return tags_of(self.folder)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its classes, in the order of the answers' last axis; empty for values."""
        return self._saved.specs["target"].classes

    @property
    def result(self) -> dict[str, float]:
        """Metrics of its best model, `{'test/accuracy': 0.98}`; empty before it has finished."""
        file = self.folder / RESULT
        return json.loads(file.read_text()) if file.exists() else {}

    def metrics(self) -> pd.DataFrame:
        """Its metrics by epoch: a row for each epoch, counted from 1, a column for each metric."""
        return pd.DataFrame(metric_history(self.folder)).sort_index().rename_axis("epoch")

    def model(self) -> keras.Model:
        """Its best model, not compiled. Takes raw inputs, as the dataset gives them."""
        return self._predictor.model

    def dataset(self, split: str = "test") -> Samples:
        """Samples of one of its splits, without random transforms: `x, y = run.dataset()[0]`."""
        data = self._data
        if split not in data.splits:
            raise UserError(
                f"the run has no split '{split}'",
                f"one of {', '.join(data.splits)}",
                repr(split),
                "choose one of these",
            )
        return Samples(data, split)

    @overload
    def predict(self, inputs: np.ndarray, **options: Any) -> np.ndarray: ...
    @overload
    def predict(self, inputs: Paths, **options: Any) -> pd.DataFrame: ...
    def predict(self, inputs: np.ndarray | Paths, **options: Any) -> np.ndarray | pd.DataFrame:
        """Answer raw inputs with the best model, calibrated if `make calibrate` was typed.

        Args:
            inputs: An array, or what NumPy makes one of, shape (inputs, *shape of one), in the
                units of the run's data: pixels are not scaled; or files, folders, patterns, as
                `make predict input=…` takes them.
            options: Of files, those of `reprise.runs.predict.Options`; of an array `batch`.

        Returns:
            Of an array the answers, float32: probabilities or values. Of files the table that
            `make predict` writes; masks are written to `predictions/<id>/masks`.

        Raises:
            UserError: the inputs do not fit the model, or none can be read.
        """
        given = [inputs] if isinstance(inputs, str | Path) else inputs
        if isinstance(given, Sequence) and all(isinstance(one, str | Path) for one in given):
            wish = read_options(options)
            done = predict(self._saved, [str(one) for one in given], "", wish)
            if done.unreadable:
                print(f"note: {len(done.problems)} could not be read: {done.unreadable}")
            return pd.read_csv(done.table)
        spec = self._saved.specs["input"]
        shape, raw = spec.shape, np.asarray(inputs)
        if more := options.keys() - {"batch"}:
            raise TypeError(f"of an array predict takes batch alone, and no {', '.join(more)}")
        is_free = len(shape) == 3 and None in self._predictor.model.input_shape[1:3]
        loose = 2 if is_free else 0  # a picture's height and width
        is_one_more = raw.ndim == 1 + len(shape) and len(raw)
        is_number = raw.dtype.kind in "biuf"
        with np.errstate(invalid="ignore", over="ignore"):
            x = raw.astype(spec.dtype) if is_number else raw
        is_scaled = x.dtype.kind == "u" and (x != raw).any()
        if (
            not (is_one_more and is_number)
            or raw.shape[1 + loose :] != tuple(shape[loose:])
            or is_scaled
        ):
            grey = raw.shape[1:] == shape[:-1] and shape[-1:] == (1,)
            span = f", from {raw.min():g} to {raw.max():g}" if is_number and raw.size else ""
            fitting = "inputs[..., np.newaxis]" if grey else "one input alone is inputs[np.newaxis]"
            raise UserError(
                f"these inputs do not fit the model of run {self.id}",
                f"shape (inputs, {', '.join(map(str, shape))}), dtype {spec.dtype}",
                f"shape {raw.shape}, dtype {raw.dtype}{span}",
                f"give raw numbers, not scaled, of that shape: {fitting}",
            )
        size = read_options(options).batch or int(self.config["loader"]["batch_size"])
        parts = [self._predictor(x[at : at + size]) for at in range(0, len(x), size)]
        return np.concatenate(parts)

    def pictures(self) -> dict[str, Image]:
        """Its pictures by name, `curves` say; a notebook shows a picture that ends a cell."""
        from PIL import Image

        files = sorted((self.folder / "pictures").glob("**/*.png"))
        return {file.stem: Image.open(file) for file in files}

    @cached_property
    def _predictor(self) -> Predictor:
        return open_predictor(self._saved)

    @cached_property
    def _data(self) -> Data:
        return open_saved_data(self._saved)


class Samples(Sequence[Sample]):
    """The samples of a split as pairs of input and target.

    Those of a stream, of a PyDataset and of a tf.data pipeline can be gone through from the first
    on, and have neither length nor numbers.

    Args:
        data: The data of a run.
        split: 'train', 'valid' or 'test'.
    """

    def __init__(self, data: Data, split: str) -> None:
        self._data, self._split = data, split

    @property
    def names(self) -> Sequence[str]:
        """Their names: files, rows, recordings; empty where samples have none."""
        return self._data.dataset.names(self._data.splits[self._split])

    def __len__(self) -> int:
        return len(self._numbered()[1])

    def __getitem__(self, index: Any) -> Any:
        dataset, indices = self._numbered()
        if isinstance(index, slice):
            return [dataset.read(int(at), None) for at in indices[index]]
        return dataset.read(int(indices[index]), None)

    def __iter__(self) -> Iterator[Sample]:
        if isinstance(self._data.dataset, Dataset):
            yield from (self[at] for at in range(len(self)))
            return
        with self._data.loader(self._split, workers=0) as loader:
            for x, y in loader.batches():
                yield from zip(np.asarray(x), np.asarray(y), strict=True)

    def _numbered(self) -> tuple[Dataset, np.ndarray]:
        dataset = self._data.dataset
        if isinstance(dataset, Dataset):
            return dataset, self._data.splits[self._split]
        raise TypeError(f"samples of {type(dataset).__name__} have no numbers: use a for loop")


def load(run: str | Path = "last", runs: str | Path = "runs") -> Run:
    """Open a recorded run.

    Relative paths are the project's, as everywhere in reprise: its folder becomes the working
    folder.

    Args:
        run: Its id, its folder, `last`, MLflow's id of it; or `NAME@alias`, a model of MLflow's
            registry.
        runs: Folder of all runs.

    Raises:
        UserError: there is no such run.
    """
    project.enter()
    folder, run = ROOT / runs, str(run)
    return Run(find_model(run, folder) if "@" in run else find(run, folder))


def table(runs: str | Path = "runs") -> pd.DataFrame:
    """All runs but those of debug=…, a row for each, the newest first.

    Columns: experiment, status, the metrics of the best model, and every setting by its dotted key.
    """
    project.enter()
    rows = {}
    for folder in run_folders(ROOT / runs, IDENTITY):
        if is_debug(folder, ROOT / runs):
            continue
        try:
            read = read_summary(folder)
        except UNREADABLE as error:
            print(f"note: {folder.name} cannot be read: {error!r}", file=sys.stderr)
            continue
        rows[read.id] = {**read.choices, "status": read.status, **read.metrics, **read.params}
    found = pd.DataFrame.from_dict(rows, orient="index").sort_index(ascending=False)
    first = [name for name in ("experiment", "status") if name in found]
    metrics = sorted(name for name in found if "/" in name)
    others = [name for name in found if name not in (*first, *metrics)]
    return found[[*first, *metrics, *others]].rename_axis("run")


def train(
    experiment: str, changes: Mapping[str, Any] | None = None, runs: str | Path = "runs"
) -> Run:
    """Train an experiment in a process of its own, and print what it prints.

    Args:
        experiment: Its name: a file in conf/experiment/.
        changes: Settings that differ, by dotted key: `{"trainer.epochs": 2}`.
        runs: Folder of all runs.

    Returns:
        The run, which has finished.

    Raises:
        UserError: it has not; the reason is printed.
    """
    project.enter()
    words = [f"{key}={quoted(value)}" for key, value in (changes or {}).items()]
    command = [sys.executable, "-m", "reprise", "train", f"experiment={experiment}", *words]
    command.append(f"tracking.runs={quoted(str(ROOT / runs))}")
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    name = ""
    try:
        for line in process.stdout:
            print(line, end="")
            if line.startswith("run ") and not name:
                name = line.split()[1]
    except KeyboardInterrupt:
        process.terminate()  # it writes its state; `reprise resume` goes on
        raise
    finally:
        code = process.wait()
    if code or not name:
        raise UserError(
            f"experiment {experiment} has not been trained",
            "a training that finishes",
            f"exit code {code}",
            "correct what is printed above",
        )
    return load(name, runs)
