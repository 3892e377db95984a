"""The run that another one starts from: its model, its data, and how well it does on both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from reprise.datasets.base import BaseDataset
from reprise.errors import UserError
from reprise.runs.evaluate import score_splits
from reprise.runs.experiment import Data
from reprise.runs.folder import Recorded
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Parent:
    """A run whose best model goes on learning.

    Args:
        recorded: The run.
        model: Its best model.
        data: Its own data, split as it was.
        learned: What the new data's train split has taught, for the record.
        before: Metrics of the model before it learns anything new: `before_test/…` on the new test
            data, `before_parent_test/…` on its own.
        old: Fraction of its own training and validation samples that is mixed with the new ones.
    """

    recorded: Recorded
    model: keras.Model
    data: Data
    learned: Mapping[str, Any]
    before: Mapping[str, float]
    old: float

    def score(self, model: keras.Model) -> dict[str, float]:
        """Metrics of a model on the parent's test data, `parent_test/…`."""
        return score_parent(model, self.recorded, self.data)


def score_parent(model: keras.Model, recorded: Recorded, data: Data) -> dict[str, float]:
    """Metrics of a model on a run's test data (valid, where it has none), `parent_<split>/…`."""
    result = score_splits(model, recorded.config, data, [test_split(data)])
    return {f"parent_{name}": value for name, value in result.items()}


def test_split(data: Data) -> str:
    """The split that a model is judged by: `test`, or `valid` where there is none."""
    return "test" if "test" in data.splits else "valid"


def adopt(dataset: BaseDataset[Any], parent: BaseDataset[Any]) -> None:
    """Give new data the offset and scale that the parent's model was made with.

    Raises:
        UserError: its samples are not such as that model takes and answers.
    """
    for part in ("input", "target"):
        new: Spec = getattr(dataset, f"{part}_spec")
        old: Spec = getattr(parent, f"{part}_spec")
        for field in fields(Spec):
            ours, theirs = getattr(new, field.name), getattr(old, field.name)
            if field.name not in {"offset", "scale", "counts"} and ours != theirs:
                raise UserError(
                    f"the new data does not fit the run's model: {field.name} of the {part}",
                    expected=f"{theirs}, as the run was trained on",
                    received=str(ours),
                    remedy="change the dataset's settings so that both agree, or train a new model",
                )
        setattr(dataset, f"{part}_spec", replace(new, offset=old.offset, scale=old.scale))
