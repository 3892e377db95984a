"""The data of a recorded run, opened again as the run had it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reprise.datasets.base import BaseDataset, Dataset
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError
from reprise.runs.experiment import Data, open_data
from reprise.runs.folder import Recorded, find
from reprise.spec import Spec


def open_recorded(recorded: Recorded, config: Mapping[str, Any] | None = None) -> Data:
    """The data of a recorded run, split as it was, with what was learned from it then.

    Args:
        recorded: The run.
        config: Its configuration, where that is no longer the recorded one.

    Raises:
        UserError: a sample is not there any more, or the data cannot be used.
    """
    opened = open_data(config or recorded.config)
    if recorded.parent and recorded.old:
        parent = find(recorded.parent, recorded.folder.parents[1])
        old = open_recorded(parent).dataset
        assert isinstance(opened.dataset, Dataset)
        assert isinstance(old, Dataset)
        opened = replace(opened, dataset=Mixed(opened.dataset, old))
    _take_specs(opened.dataset, recorded.specs)
    return replace(opened, splits=opened.dataset.restore(recorded.splits, opened.splits))


def _take_specs(dataset: BaseDataset[Any], specs: Mapping[str, Spec]) -> None:
    """Give a dataset the recorded specs, which must be those of its arrays today."""
    for part, then in specs.items():
        now: Spec = getattr(dataset, f"{part}_spec")
        if replace(then, offset=(), scale=(), counts=()) != replace(
            now, offset=(), scale=(), counts=()
        ):
            raise UserError(
                f"the data is no longer what the run was trained on: its {part} has changed",
                expected=f"shape {then.shape}, {then.dtype}, classes {', '.join(then.classes)}",
                received=f"shape {now.shape}, {now.dtype}, classes {', '.join(now.classes)}",
                remedy="bring the data back to the version that the run's tag data.digest names",
            )
        setattr(dataset, f"{part}_spec", then)
