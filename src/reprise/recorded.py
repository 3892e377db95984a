"""The data of a recorded run, opened again as the run had it."""

from collections.abc import Mapping
from dataclasses import replace

from reprise.datasets.base import Dataset
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError
from reprise.experiment import Data, open_data
from reprise.run_folder import Recorded, find, indices_of
from reprise.spec import Spec


def open_recorded(recorded: Recorded) -> Data:
    """The data of a recorded run, split as it was, with what was learned from it then.

    Raises:
        UserError: a sample is not there any more, or the data cannot be used.
    """
    opened = open_data(recorded.config)
    if recorded.parent and recorded.old:
        parent = find(recorded.parent, recorded.folder.parents[1])
        opened = replace(opened, dataset=Mixed(opened.dataset, open_recorded(parent).dataset))
    names = [opened.dataset.name(index) for index in range(len(opened.dataset))]
    _take_specs(opened.dataset, recorded.specs)
    return replace(opened, splits=indices_of(recorded.splits, names))


def _take_specs(dataset: Dataset, specs: Mapping[str, Spec]) -> None:
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
