"""The trained model of a run, and the inputs that it takes: what predict, export and serve use."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from reprise.config.build import build
from reprise.config.parameters import find_target
from reprise.config.sections import EVERY
from reprise.datasets.base import Dataset, no_way
from reprise.datasets.unlabelled import Tolerant, Unlabelled
from reprise.errors import UserError
from reprise.loading.loader import Loader
from reprise.runs.calibration import Calibration, decide, model_hash, read_calibration
from reprise.runs.experiment import set_up_device
from reprise.runs.folder import to_type
from reprise.runs.load import SavedRun, load_best, open_saved_data, require_best

if TYPE_CHECKING:
    import keras

    from reprise.spec import Spec

SPLITS = ("train", "valid", "test")
FLIPS = {"horizontal_flip": 2, "vertical_flip": 1}  # axes of a batch, by the setting of Augment


@dataclass
class Predictor:
    """The best model of a run; called with a batch of raw inputs, it returns its answers.

    Args:
        saved: The run.
        flips: Axes of a batch along which inputs are mirrored, too; answers are then the mean.
        calibration: Of the model, which is then used; or None.
    """

    saved: SavedRun
    flips: Sequence[int] = ()
    calibration: Calibration | None = None

    @cached_property
    def model(self) -> keras.Model:
        """The model, not compiled; loaded when it is first asked for, which takes seconds."""
        set_up_device(self.saved.config)
        import keras

        model = load_best(self.saved.folder)
        # Keras would guess whether XLA pays, with other bits; JAX without it is slow.
        jit_compile = bool(self.saved.config["trainer"].get("jit_compile"))
        model.jit_compile = jit_compile or keras.backend.backend() == "jax"
        return model

    @property
    def input_spec(self) -> Spec:
        """Of one input, as the dataset of the run gave it."""
        return self.saved.specs["input"]

    @property
    def target_spec(self) -> Spec:
        """Of what the model answers: classes, labels, a mask of classes, or values."""
        return self.saved.specs["target"]

    @property
    def threshold(self) -> float:
        """Least probability, exclusive, of a yes, as the run's objective has it."""
        return float(self.saved.config["objective"].get("threshold", 0.5))

    @property
    def limits(self) -> np.ndarray:
        """Least probability, exclusive, of each class, shape (classes,); infinite for never."""
        if self.calibration:
            return self.calibration.limits(self.target_spec)
        return np.full(len(self.target_spec.classes), self.threshold, np.float32)

    def decide(self, answers: np.ndarray) -> np.ndarray:
        """The classes that probabilities stand for, as `reprise.runs.calibration.decide`."""
        rule = self.calibration.rule if self.calibration else "most probable"
        return decide(answers, self.target_spec, self.limits, rule)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Answer a batch.

        Args:
            x: Shape (batch, *input_spec.shape); of a fully convolutional model of any height and
                width that its strides allow.

        Returns:
            float32: probabilities, shape (batch, classes) or (batch, height, width, classes), or
            values, (batch, *target_spec.shape).
        """
        answers = self._mirrored(x) if self.flips else self._answer(x)
        if self.calibration:
            return self.calibration.softened(answers, self.target_spec)
        return answers

    def require_finite(self, answers: np.ndarray) -> None:
        """Raise a UserError where an answer is NaN or infinite: a class would be made of it."""
        if np.isfinite(answers).all():
            return
        raise UserError(
            f"the model of run {self.saved.folder.name} does not answer with finite numbers",
            "finite numbers; NaN comes of weights whose training has diverged, or of huge inputs",
            "NaN, or an infinite number",
            "look at the inputs, and at the run's loss: its learning rate may be too high",
        )

    def _mirrored(self, x: np.ndarray) -> np.ndarray:
        """Mean of the answers to the inputs and to their mirror images."""
        answers = self._answer(x)
        is_picture = answers.ndim == 4 and answers.shape[1:3] == x.shape[1:3]
        total = answers.astype(np.float32)
        ways: list[tuple[int, ...]] = [(axis,) for axis in self.flips]
        ways += [tuple(self.flips)] if len(self.flips) == 2 else []
        for way in ways:
            mirrored = self._answer(np.flip(x, way))
            total += np.flip(mirrored, way) if is_picture else mirrored
        return total / np.float32(1 + len(ways))

    def _answer(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict_on_batch(x))

    def inputs(self, given: Sequence[str], **changes: Any) -> Dataset:
        """What the user has named, read as the run's own dataset reads.

        Args:
            given: Files, folders, patterns or tables; or the name of one of the run's splits.
            changes: Settings of the dataset that differ, `fit` say.

        Raises:
            UserError: it cannot be read, or the dataset has no way to.
        """
        if len(given) == 1 and given[0] in SPLITS:
            return self._own(given[0])
        node = {
            key: value
            for key, value in self.saved.config["dataset"].items()
            if key not in EVERY["dataset"]
        }
        source = node.get("source")
        if isinstance(source, Mapping) and "_target_" in source:
            node = dict(source)  # a stream reads as its source does
        target = str(node["_target_"])
        if not hasattr(find_target(target), "unlabelled"):
            raise no_way(target, given)
        node |= {"_target_": f"{node['_target_']}.unlabelled", **changes}
        return build(node, list(given), self.input_spec, key="dataset")

    def _own(self, split: str) -> Dataset:
        data = open_saved_data(self.saved)
        if split not in data.splits:
            raise UserError(
                f"the run has no split '{split}'",
                f"one of {', '.join(data.splits)}, or files",
                f"input={split}",
                "choose one of these",
            )
        if isinstance(data.dataset, Dataset):
            return _Split(data.dataset, data.splits[split])
        with data.loader(split, workers=0) as loader:  # of a stream, or of Keras's own batches
            return _Read(self.input_spec, loader.batches(0, loader.steps_per_pass))

    def batches(
        self,
        inputs: Tolerant,
        indices: np.ndarray,
        batch_size: int,
        settings: Mapping[str, Any] | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Read inputs ahead with the loader's workers.

        Args:
            inputs: The inputs.
            indices: Which of them, in which order.
            batch_size: Inputs in a batch.
            settings: Of the loader that differ from the run's.

        Yields:
            Of each batch its indices, its inputs, and 1 where one could be read, else 0.
        """
        node = {**self.saved.config["loader"], "order": "full", "cache": None, **(settings or {})}
        node |= {"batch_size": batch_size}
        loader: Loader = build(node, inputs, indices, split="test", seed=0, key="loader")
        with loader:
            for at, (x, flags) in enumerate(loader.batches(0, loader.steps_per_pass)):
                yield indices[at * batch_size : (at + 1) * batch_size], x, flags


class _Split(Dataset):
    """The samples of one split, under their names."""

    def __init__(self, dataset: Dataset, indices: np.ndarray) -> None:
        self._dataset, self._indices = dataset, indices
        self.input_spec, self.target_spec = dataset.input_spec, dataset.target_spec
        self.in_memory = dataset.in_memory

    def __len__(self) -> int:
        return len(self._indices)

    def read(self, index: int, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        return self._dataset.read(int(self._indices[index]), rng)

    def read_many(self, indices: np.ndarray, rngs: Any) -> tuple[np.ndarray, np.ndarray]:
        return self._dataset.read_many(self._indices[indices], rngs)

    def name(self, index: int) -> str:
        return self._dataset.name(int(self._indices[index]))

    def splits(self) -> Mapping[str, np.ndarray]:
        return {"test": np.arange(len(self))}


class _Read(Unlabelled):
    """Inputs that have no random access, all read into memory."""

    in_memory = True

    def __init__(self, spec: Spec, batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        self.input_spec = spec
        self._rows = [row for x, _ in batches for row in np.array(x)]

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, index: int) -> str:
        return f"sample {index}"

    def read_input(self, index: int) -> np.ndarray:
        return self._rows[index]


def open_predictor(saved: SavedRun, *, flips: bool = False, calibrated: bool = True) -> Predictor:
    """Make the predictor of a run.

    Args:
        saved: The run, from `find` or `find_model`.
        flips: Answer with the mean over the flips that training used.
        calibrated: Use the calibration that the run's folder has, if it is of this model.

    Raises:
        UserError: it has no model, or it was trained without flips.
    """
    augment = saved.config["dataset"].get("augment") or {}
    axes = [axis for name, axis in FLIPS.items() if augment.get(name)] if flips else []
    if flips and not axes:
        raise UserError(
            f"run {saved.folder.name} was trained without flips",
            "dataset.augment.horizontal_flip=true or vertical_flip=true in its config",
            "flips=true",
            "leave flips=true out: a model has to know what mirrored inputs look like",
        )
    best = require_best(saved.folder)
    saved.use_backend()
    found = read_calibration(saved.folder) if calibrated else None
    if found and found.model != model_hash(best):
        again = to_type("calibrate", f"run={saved.folder.name}", saved.runs)
        print(f"note: not calibrated: that was an earlier model; {again}", file=sys.stderr)
        found = None
    return Predictor(saved, axes, found)
