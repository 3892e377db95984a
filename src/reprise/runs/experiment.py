"""The parts of an experiment, built from its config: device, data, model, objective, optimizer."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprise.config.build import build
from reprise.config.check import check
from reprise.config.compose import Composed
from reprise.config.parameters import paths, sqlite_file
from reprise.config.sections import EVERY
from reprise.datasets.base import BaseDataset, Dataset, Sample
from reprise.datasets.tracked import require_pulled
from reprise.errors import UserError
from reprise.loading.loader import Loader
from reprise.runs import sample_data
from reprise.runs.inputs import texts
from reprise.training.quiet import import_keras

if TYPE_CHECKING:
    import keras

    from reprise.runs.external import Batches, ExternalLoader
    from reprise.training.trainer import Trainer

SHOWN = 8  # problems listed in one message


@dataclass(frozen=True)
class Data:
    """A dataset, its splits, and the settings that loaders of it are made with."""

    dataset: BaseDataset[Any]
    splits: Mapping[str, Any]  # as the dataset's `splits` gives them
    seed: int
    settings: Mapping[str, Any]
    exclude: Path | None = None  # list of samples that are left out
    excluded: Mapping[str, str] = field(default_factory=dict)  # these, with the reasons

    @property
    def num_excluded(self) -> int:
        """Number of samples that are left out."""
        return len(self.excluded)

    @property
    def sources(self) -> Sequence[Path]:
        """The files and folders that decide which samples there are, for the record."""
        return (*self.dataset.sources, *([self.exclude] if self.exclude else []))

    def loader(self, split: str, **changes: Any) -> Loader | ExternalLoader:
        """A loader of one split; `changes` replace settings of conf/loader/."""
        if not isinstance(self.dataset, Dataset):  # a stream, or one that Keras reads
            from reprise.runs.external import External, ExternalLoader

            if isinstance(self.dataset, External):
                return ExternalLoader(self.dataset, split)
        node = {**self.settings, **changes}
        indices = self.splits[split]
        return build(node, self.dataset, indices, split=split, seed=self.seed, key="loader")

    def learn(self) -> dict[str, Any]:
        """Have the dataset learn what its specs need from the train split; what it learned."""
        return dict(self.dataset.learn(self.splits["train"]))

    def problems(self, *, thorough: bool = False) -> list[str]:
        """What is wrong with the samples, one line each; `thorough` reads them all in full."""
        return self.dataset.problems(self.splits, thorough=thorough)

    def members(self) -> dict[str, Any]:
        """For the record: names of each split's samples; of a stream how many, and which."""
        return {split: self.dataset.record(own) for split, own in self.splits.items()}

    def sizes(self) -> dict[str, int | None]:
        """The number of samples in each split, as far as it is known."""
        return {split: self.dataset.num_samples(own) for split, own in self.splits.items()}

    def first(self, split: str, count: int) -> Sample:
        """The first `count` samples that a loader of this split gives, with a batch axis."""
        with self.loader(split, batch_size=count, workers=0) as loader:
            x, y = next(loader.batches())
            return x[:count], y[:count]


def compose_and_check(overrides: list[str]) -> Composed:
    """The composed config, every mistake in it refused; quick, TensorFlow is not imported."""
    return check(overrides, providable=sample_data.is_providable)


def open_data(config: Mapping[str, Any], *, checked: bool = True) -> Data:
    """Put sample data in place where it is missing, and open the dataset.

    Args:
        config: A composed config.
        checked: Look at the files first, as far as that is cheap.

    Raises:
        UserError: the data cannot be used; the message lists what is wrong with which sample.
    """
    files = [Path(sqlite_file(path) or path) for path in paths(config["dataset"])]
    if stages := sample_data.missing_stages(files):
        sample_data.make_available(stages)
    for text in texts(config["dataset"]):
        if "/" in text or "." in text:
            require_pulled(Path(sqlite_file(text) or text))
    node = config["dataset"]
    dataset = build_dataset(node)
    splits, excluded = dataset.splits(), dict[str, str]()
    if isinstance(dataset, Dataset) and (unused := len(dataset) - sum(map(len, splits.values()))):
        note = f"note: {unused} of {len(dataset)} samples are in no split, as dataset.split says"
        print(note, file=sys.stderr, flush=True)
    path = Path(node["exclude"]) if node.get("exclude") else None
    if path:
        splits, excluded = leave_out(dataset, splits, path, node.get("max_excluded"))
    if few := config["trainer"]["overfit"]:
        splits = dict.fromkeys(("train", "valid"), dataset.first(splits["train"], few))
    opened = Data(dataset, splits, config["seed"], config["loader"], path, excluded)
    if checked:
        refuse_problems(opened.problems())
        for note in dataset.notes:
            print(f"note: {note}", file=sys.stderr, flush=True)
    return opened


def build_dataset(node: Mapping[str, Any]) -> BaseDataset[Any]:
    """Build the dataset that a config names: one of reprise's kind, or one that Keras knows.

    Args:
        node: A config's `dataset`.

    Raises:
        UserError: its values do not fit, or a target of another package gives no dataset.
    """
    node = {key: value for key, value in node.items() if key not in EVERY["dataset"]}
    if node["_target_"].startswith("reprise."):
        return build(node)
    from reprise.runs.external import build_foreign

    return build_foreign(node)


def leave_out(
    dataset: BaseDataset[Any], splits: Mapping[str, Any], path: Path, most: float | None
) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Take the samples of a list out of splits that have been dealt: no other sample moves.

    Args:
        dataset: The dataset.
        splits: Its splits.
        path: The list.
        most: Largest share of all samples that it may leave out; None: the default.

    Returns:
        The splits without these samples, and the samples with the reasons.

    Raises:
        UserError: a name in the list is none of the dataset's, or there are too many.
    """
    from reprise.datasets import exclude

    reasons = exclude.read_list(path)
    rest = dataset.without(splits, reasons, path)
    sizes = [sum(dataset.num_samples(own) or 0 for own in of.values()) for of in (splits, rest)]
    total, left = sizes
    exclude.require_few(path, total - left, total, exclude.MAX_EXCLUDED if most is None else most)
    print(
        f"note: {total - left} of {total} samples are left out, as {path} says",
        file=sys.stderr,
        flush=True,
    )
    return rest, reasons


def set_up_device(config: Mapping[str, Any], *, for_training: bool = False) -> dict[str, str]:
    """Set up Keras and its backend as the config's trainer and seed say.

    Args:
        config: A composed config.
        for_training: Models from here on are for all devices that the config asks for.

    Returns:
        What trains and how, by name, for the run's tags.
    """
    import_keras()
    from reprise.training.device import set_up

    trainer: Trainer = build(config["trainer"], key="trainer")
    return set_up(
        trainer.precision,
        trainer.deterministic,
        trainer.jit_compile,
        seed=config["seed"],
        distribution=trainer.distribution if for_training else "none",
    )


def for_keras(
    loader: Loader | ExternalLoader, start: int = 0, steps_per_epoch: int | None = None
) -> Batches:
    """The batches of a loader as what Keras's `fit` and `evaluate` take.

    Args:
        loader: The loader.
        start: First step.
        steps_per_epoch: For training, whose batches are endless; None for one pass.
    """
    if not isinstance(loader, Loader):
        return loader.for_keras(steps_per_epoch)
    from reprise.loading.feed import as_tf_dataset

    stop = loader.steps_per_pass if steps_per_epoch is None else None
    return as_tf_dataset(loader, start, stop)


def new_model(config: Mapping[str, Any], dataset: BaseDataset[Any]) -> keras.Model:
    """Build the config's model for the dataset's arrays, not compiled."""
    import keras

    model = build(config["model"], dataset.input_spec, dataset.target_spec, key="model")
    _require("model", model, isinstance(model, keras.Model), "a keras.Model")
    return model


def compiled(
    config: Mapping[str, Any], dataset: BaseDataset[Any], model: keras.Model, total_steps: int
) -> keras.Model:
    """Compile `model` with the config's optimizer and objective; returns it."""
    import keras

    from reprise.objectives.losses import keep_logits
    from reprise.training.fit import compile_model

    trainer: Trainer = build(config["trainer"], key="trainer")
    objective = build(config["objective"], dataset.target_spec, key="objective")
    is_pair = isinstance(objective, tuple) and len(objective) == 2
    is_fit = is_pair and all(isinstance(one, keras.Metric) for one in objective[1])
    _require("objective", objective, is_fit, "a loss and a list of keras.Metric")
    loss, metrics = objective
    require_metric(trainer.monitor, ["loss", *(metric.name for metric in metrics)])
    optimizer = build(config["optimizer"], total_steps, key="optimizer")
    _require("optimizer", optimizer, isinstance(optimizer, keras.Optimizer), "a keras.Optimizer")
    keep_logits(model)
    return compile_model(model, optimizer, loss, metrics, jit_compile=trainer.jit_compile)


def _require(role: str, made: object, is_fit: bool, expected: str) -> None:
    """Refuse what a config's target has returned, if it is not what the group stands for."""
    if not is_fit:
        raise UserError(
            f"{role}._target_ gives no {role}",
            f"a function that returns {expected}, or a class of that kind",
            f"{type(made).__name__}: {made!r}"[:150],
            f"name another target in {role}._target_",
        )


def require_metric(monitor: str, names: list[str]) -> None:
    """Refuse a `trainer.monitor` such as `valid/iuo` that the objective does not measure."""
    if monitor.partition("/")[2] not in names:
        raise UserError(
            f"trainer.monitor={monitor} is not measured",
            expected=", ".join(f"valid/{name}" for name in names),
            received=monitor,
            remedy="choose one of these, or the same with train/",
        )


def refuse_problems(problems: list[str]) -> None:
    """Raise a UserError that lists the first of these problems, if there are any."""
    if problems:
        more = len(problems) - SHOWN
        listed = problems[:SHOWN] + ([f"… and {more} more"] if more > 0 else [])
        raise UserError(
            f"{len(problems)} problem(s) in the data",
            expected="samples that can all be read",
            received="\n".join(listed),
            remedy="mend or remove them; make check-data exp=NAME reads every sample in full",
        )
