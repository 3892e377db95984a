"""Each function's time is put where it belongs."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loading.loader_samples import Numbers
from loading.test_identity import tiny_dataset

from reprise.datasets.base import Sample
from reprise.loading.order import Order
from reprise.loading.stages import STAGES, Stopwatch
from reprise.loading.worker import assemble


class Staged(Numbers):
    """Reads a file, works on it in `decode`, and moves it in `finish`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / "numbers.json"
        self.file.write_text(json.dumps(list(range(100))))

    def decode(self, index: int) -> np.ndarray:
        with self.file.open() as file:
            return np.array(json.load(file))

    def finish(self, numbers: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        return np.sort(numbers)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        self.finish(self.decode(index), rng)
        return super().read(index, rng)


def spent(dataset: Any, package: str = "reprise") -> set[str]:
    """The stages that two batches had time in."""
    stopwatch = Stopwatch(package)
    order = Order(np.arange(len(dataset)), split="train", seed=3, batch_size=4)
    plans = list(order.plans(0, 2))
    with stopwatch.running():
        for plan in plans:
            assemble(dataset, plan)
    assert sys.getprofile() is None
    assert list(stopwatch.seconds) == list(STAGES)
    return {stage for stage, seconds in stopwatch.seconds.items() if seconds > 0}


def test_every_stage_is_told_from_the_others(tmp_path: Path) -> None:
    package = Staged.__module__.partition(".")[0]
    assert spent(Staged(tmp_path), package) == {"read", "decode", "augment", "collate"}


def test_a_stage_that_is_not_there_has_no_time() -> None:
    assert spent(Numbers(), "loading") == {"decode", "collate"}
    assert spent(Numbers(), "another") == {"collate"}  # a library's function, and not a dataset's


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("image_mask", {"read", "decode", "augment", "collate"}),
        ("image_folder", {"read", "decode", "augment", "collate"}),
        ("csv_rows", {"decode", "collate"}),
    ],
)
def test_datasets_of_the_project_are_understood(
    name: str, stages: set[str], tmp_path: Path
) -> None:
    assert spent(tiny_dataset(name, tmp_path)) == stages


def test_a_database_is_read(tmp_path: Path) -> None:
    assert {"read", "decode", "collate"} <= spent(tiny_dataset("sql_matrix", tmp_path))


def test_an_error_leaves_nothing_behind() -> None:
    stopwatch = Stopwatch("loading")
    with pytest.raises(ZeroDivisionError), stopwatch.running():
        1 / 0  # noqa: B018
    assert sys.getprofile() is None
    with stopwatch.running():
        sum(range(10))
    assert {stage for stage, seconds in stopwatch.seconds.items() if seconds} == {"collate"}
