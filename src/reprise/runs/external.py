"""Data that Keras already knows: a `keras.utils.PyDataset`, or a `tf.data.Dataset`.

Keras gets them as they are. They determine the order of their batches and the workers that make
them: neither the same batches nor a resume in mid-epoch is promised.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from reprise.config.build import build, check_foreign
from reprise.config.parameters import find_target, paths
from reprise.datasets.base import BaseDataset, Sample
from reprise.datasets.drawing import class_ids, draw_masks
from reprise.errors import Stopped, UserError, in_one_line
from reprise.project import ROOT
from reprise.spec import Spec
from reprise.training.quiet import native_notes_hidden

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from matplotlib.axes import Axes

    Batches: TypeAlias = keras.utils.PyDataset | tf.data.Dataset

SPLITS = ("train", "valid", "test")
# Keys of the dataset's node that are not the target's.
OWN_KEYS: dict[str, Any] = {
    "valid": dict[str, Any] | None,
    "test": dict[str, Any] | None,
    "classes": list[str] | None,
}


def build_foreign(node: Mapping[str, Any]) -> BaseDataset[Any]:
    """Build the dataset that a target of another package gives.

    A target that is no `BaseDataset` gives batches of the train split. `valid` and `test` in the
    node are arguments that differ for those splits; a function may also return a dict of splits.
    `classes` names the target's classes.

    Args:
        node: A config's `dataset`, without the keys of every dataset.

    Raises:
        UserError: the target does not take these keys, gives something else, or gives batches that
            no model here takes.
    """
    target = node["_target_"]
    with native_notes_hidden():
        check_foreign(node, "dataset", extra=OWN_KEYS)
        kind = find_target(target)
    is_ours = isinstance(kind, type) and issubclass(kind, BaseDataset)
    own = {} if is_ours else {key: node[key] for key in OWN_KEYS if key in node}
    arguments = {key: value for key, value in node.items() if key not in own}
    made = build(arguments, key="dataset")
    if isinstance(made, BaseDataset):
        return made
    splits = dict(made) if isinstance(made, dict) else {"train": made}
    for split in ("valid", "test"):
        if own.get(split) is not None:
            splits[split] = build({**arguments, **own[split]}, key=f"dataset.{split}")
    odd = [name for name in splits if name not in SPLITS]
    odd += [name for name, batches in splits.items() if not _is_batches(batches)]
    if odd or "train" not in splits:
        raise UserError(
            f"dataset._target_={target} is no dataset",
            expected="a reprise.datasets.base.BaseDataset, a keras.utils.PyDataset, a "
            "tf.data.Dataset,\nor a dict of these with the keys train, valid and test",
            received=", ".join(f"{name}: {type(splits[name]).__name__}" for name in splits),
            remedy="name a class or a function that gives one; see docs/your_keras_dataset.md",
        )
    sources = [ROOT / path for path in paths(node) if (ROOT / path).exists()]
    print(
        f"note: Keras gets the batches of {target} as they are; the same batches in every run, and "
        "a resume in mid-epoch, are not promised",
        flush=True,
    )
    return External(splits, own.get("classes") or (), sources, json.dumps(node, sort_keys=True))


class External(BaseDataset[str]):
    """A dataset of batches that Keras reads itself; a split is its name.

    Args:
        batches: Batches (x, y) of each split; one pass of them where they are finite.
        classes: Names of the target's classes; empty for values.
        sources: Files and folders that the data come from, as far as they are known.
        stamp: Identifies the data.

    Raises:
        UserError: x and y are not one array of numbers each, or not of as many samples.
    """

    def __init__(
        self,
        batches: Mapping[str, Batches],
        classes: Sequence[str],
        sources: Sequence[Path],
        stamp: str,
    ) -> None:
        self.batches = batches
        self._sources, self._stamp = sources, stamp
        self._counts: dict[str, int] = {}  # of samples, as far as they were read
        firsts = {split: _first(split, own) for split, own in batches.items()}
        x, y = firsts["train"]
        self.input_spec = Spec(x.shape[1:], x.dtype.name)
        self.target_spec = Spec(y.shape[1:], y.dtype.name, tuple(map(str, classes)))
        if self.target_spec.kind == "mask" and (y.ndim != 4 or y.shape[-1] != 1):
            raise UserError(
                "the targets are neither class ids, nor labels, nor masks of class ids",
                f"for {len(classes)} class(es) the shape (batch,), (batch, {len(classes)}) or "
                "(batch, height, width, 1)",
                f"{y.shape}",
                "return such targets, or leave dataset.classes out and name an objective of yours",
            )
        for split, (own_x, own_y) in firsts.items():
            self._require_alike(f"{split}, first batch", own_x, own_y)

    def _require_alike(self, what: str, x: np.ndarray, y: np.ndarray) -> None:
        """Refuse a batch that has not the specs of the first one of the train split.

        Raises:
            UserError: shapes differ in more than images' sizes or recordings' lengths can, or a
                class id is none.
        """
        for name, array, spec in (("x", x, self.input_spec), ("y", y, self.target_spec)):
            if array.ndim - 1 != len(spec.shape) or array.shape[-1:] != (len(x), *spec.shape)[-1:]:
                raise UserError(
                    f"{what}: {name} is not as in the train split's first batch",
                    expected=f"shape (batch, {', '.join(map(str, spec.shape))})",
                    received=f"shape {array.shape}",
                    remedy="return samples of one kind in every batch and every split",
                )
        kind, count = self.target_spec.kind, len(self.target_spec.classes)
        if kind == "values":
            return
        most = count - 1 if kind == "class" or (kind == "mask" and count > 1) else 1
        odd = y[(y < 0) | (y > most) | ((y != np.floor(y)) if kind == "class" else False)]
        if odd.size:
            raise UserError(
                f"{what}: targets are not of dataset.classes, of which there are {count}",
                expected=f"whole numbers from 0 to {most}" if kind != "labels" else "0 or 1 each",
                received=", ".join(map(str, np.unique(odd)[:4].tolist())),
                remedy="number the classes from 0, name all of them in dataset.classes, or leave "
                "it out where targets are values",
            )

    def splits(self) -> dict[str, str]:
        return {split: split for split in SPLITS if split in self.batches}

    def num_samples(self, split: str) -> int | None:
        return self._counts.get(split)

    def names(self, split: str) -> tuple[()]:
        return ()

    def first(self, split: str, count: int) -> str:
        raise UserError(
            "trainer.overfit needs a dataset of reprise's kind",
            expected="trainer.overfit=null",
            received=f"trainer.overfit={count}",
            remedy="give the dataset fewer samples by its own arguments",
        )

    def record(self, split: str) -> dict[str, int | None]:
        return {"num_batches": num_batches(self.batches[split])}

    def restore(self, recorded: Mapping[str, Any], splits: Mapping[str, str]) -> Mapping[str, str]:
        return splits

    def without(
        self, splits: Mapping[str, str], names: Collection[str], file: Path
    ) -> Mapping[str, str]:
        raise UserError(
            "dataset.exclude needs samples with names, and Keras makes these batches itself",
            expected="dataset.exclude=null, or a dataset of reprise's kind",
            received=f"dataset.exclude={file}",
            remedy="leave the samples out where the batches are made",
        )

    def problems(self, splits: Mapping[str, str], *, thorough: bool = False) -> list[str]:
        """With `thorough` reads one pass of every split; an error in it is the data's own."""
        for split in splits if thorough else ():
            one_pass = islice(read(self.batches[split]), num_batches(self.batches[split]))
            self._counts[split] = 0
            for number, (x, y) in enumerate(one_pass):
                self._require_alike(f"{split}, batch {number}", x, y)
                self._counts[split] += len(x)
        return []

    def draw(
        self, axes: Axes, x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        if self.target_spec.kind != "mask" or x.ndim != 3:
            super().draw(axes, x, y, prediction)
            return
        masks = {"target": y.round().astype(int)}
        if prediction is not None:
            masks["answer"] = class_ids(prediction)
        draw_masks(axes, x, masks, self.target_spec)

    @property
    def sources(self) -> Sequence[Path]:
        return self._sources

    @property
    def stamp(self) -> str:
        return self._stamp


class ExternalLoader(AbstractContextManager["ExternalLoader"]):
    """The batches of one split of an `External` dataset; stands in for a `Loader`.

    Args:
        dataset: The dataset.
        split: 'train', 'valid' or 'test'.

    Attributes:
        waited_s: None: Keras does not tell how long it waits.
    """

    waited_s: float | None = None

    def __init__(self, dataset: External, split: str) -> None:
        self.dataset, self.split = dataset, split
        self.producers = {"Keras"}

    @property
    def error(self) -> UserError | None:
        """What the exception under way says of the batches, while one is handled; else None.

        Keras reads them itself, and an error of theirs comes back as one of its backend, or out of
        the file of their class. Others, those of a callback say, are not of the batches.
        """
        error = sys.exception()
        if error is None or isinstance(error, UserError | Stopped):
            return None
        text = "".join(traceback.format_exception(error))
        is_backend = type(error).__module__.startswith("tensorflow.") and "OOM" not in text
        module = sys.modules.get(type(self.dataset.batches[self.split]).__module__)
        is_theirs = (getattr(module, "__file__", None) or "no file") in text
        return _said(error, text) if is_backend or is_theirs else None

    @property
    def steps_per_pass(self) -> int:
        """Batches in one pass.

        Raises:
            UserError: they are endless.
        """
        count = num_batches(self.dataset.batches[self.split])
        if count is None:
            raise UserError(
                f"the {self.split} split has no known number of batches",
                expected="trainer.steps_per_epoch for training; for valid and test a dataset with "
                "a length",
                received="batches whose number is not known",
                remedy="set trainer.steps_per_epoch; for a tf.data pipeline, "
                "tf.data.experimental.assert_cardinality",
            )
        return count

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Sample]:
        """Read batches here, without Keras: from `start` of a pass up to, not including, `stop`."""
        return islice(read(self.dataset.batches[self.split]), start, stop)

    def for_keras(self, steps_per_epoch: int | None = None) -> Batches:
        """What `fit` and `evaluate` take: the batches as they are.

        Args:
            steps_per_epoch: Steps of a training epoch, for which the batches are repeated; None for
                one pass.
        """
        batches = self.dataset.batches[self.split]
        count = num_batches(batches)
        if steps_per_epoch is None or count in (None, steps_per_epoch):
            return batches
        return batches.repeat() if hasattr(batches, "repeat") else _repeated(batches)

    def close(self) -> None:
        """Do nothing: Keras ends what it has started."""

    def __exit__(self, *exc: object) -> None:
        self.close()


def _said(error: BaseException, text: str) -> UserError:
    """An exception of training in short; TensorFlow puts whole tracebacks into the message."""
    said = re.findall(r"\b\w*(?:Error|Exception|Iteration|Exit): [^\n]+", text)
    bare = re.sub(r"\[\[[^\]]*\]\].*", "", str(error)).strip().splitlines()
    frames = re.findall(r'File "([^"<]+)", line (\d+)', text)
    own = [f"{file}:{line}" for file, line in frames if Path(file).is_relative_to(ROOT)]
    own = [place for place in own if ".venv" not in place and "site-packages" not in place]
    what = (said[0] if said and "Graph execution" not in said[0] else (bare or [text])[-1]).strip()
    return UserError(
        "Keras could not train on the dataset's batches",
        expected="batches (x, y) like the first one of the train split, all of them",
        received=what[:400] + (f"\nat {own[-1]}" if own else ""),
        remedy="make check-data reads every batch, and names the first that is not",
    )


def _first(split: str, batches: Batches) -> Sample:
    """The first batch of a split.

    Raises:
        UserError: there is none, or it is no pair of arrays of numbers with as many samples.
    """
    try:
        return next(read(batches))
    except UserError:
        raise
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"the first batch of {split} cannot be read",
            expected="a batch (x, y)",
            received=f"{in_one_line(error)}\nat {at.filename}:{at.lineno}",
            remedy="mend what makes it",
        ) from error


def read(batches: Batches) -> Iterator[Sample]:
    """Iterate over batches as pairs of NumPy arrays, pass after pass.

    Raises:
        UserError: a batch is not x and y (and sample weights), one array each.
    """
    import keras

    while True:
        count = 0
        one_pass: Any = batches
        if isinstance(batches, keras.utils.PyDataset):
            number = batches.num_batches
            one_pass = (batches[at] for at in (range(number) if number else iter(int, 1)))
        for batch in one_pass:
            count += 1
            parts = batch if isinstance(batch, tuple | list) else (batch,)
            if len(parts) not in (2, 3) or any(isinstance(p, dict | list | tuple) for p in parts):
                raise UserError(
                    "a batch is not one array of inputs and one of targets",
                    expected="(x, y), or (x, y, sample_weight)",
                    received=f"{type(batch).__name__} of {len(parts)}",
                    remedy="return one array x and one array y, with a batch axis first",
                )
            x, y = (np.asarray(part) for part in parts[:2])
            lengths = [array.shape[0] if array.ndim else None for array in (x, y)]
            if {x.dtype.kind, y.dtype.kind} - set("biuf"):
                raise UserError(
                    "a batch is not of numbers",
                    expected="x and y of an integer, float or bool dtype",
                    received=f"x of dtype {x.dtype}, y of dtype {y.dtype}",
                    remedy="number the classes; stack samples of one shape",
                )
            if None in lengths or lengths[0] != lengths[1] or not lengths[0]:
                raise UserError(
                    "x and y of a batch are not of as many samples",
                    expected="the same first axis, at least 1",
                    received=f"x of shape {x.shape}, y of shape {y.shape}",
                    remedy="return as many targets as inputs; a tf.data pipeline needs .batch(…)",
                )
            yield x, y
        if not count:
            raise UserError(
                "the dataset has no batch",
                expected="one at least",
                received="none",
                remedy="a batch size above the number of samples gives none where the last, "
                "short batch is dropped",
            )


def _repeated(batches: keras.utils.PyDataset) -> keras.utils.PyDataset:
    """Pass after pass of a `PyDataset`, whose pass Keras would otherwise end with an epoch."""
    import keras

    count = batches.num_batches

    class Repeated(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index: int) -> Any:
            if index and index % count == 0:
                batches.on_epoch_end()
            return batches[index % count]

    return Repeated()


def num_batches(batches: Batches) -> int | None:
    """Number of batches in one pass; None where it is endless or not known."""
    import keras

    if isinstance(batches, keras.utils.PyDataset):
        return batches.num_batches
    count = int(batches.cardinality())
    return count if count >= 0 else None


def _is_batches(value: Any) -> bool:
    import keras

    return isinstance(value, keras.utils.PyDataset) or hasattr(value, "element_spec")
