"""Fixtures of the loader's tests."""

import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from reprise.datasets.base import Dataset
from reprise.loading.loader import Loader


@pytest.fixture
def load() -> Iterator[Callable[..., Loader]]:
    """Makes loaders, and closes them when the test is over."""
    loaders = []

    def make(dataset: Dataset, **keys: Any) -> Loader:
        keys = {"split": "train", "seed": 3, "batch_size": 4, **keys}
        loaders.append(Loader(dataset, np.arange(len(dataset)), **keys))
        return loaders[-1]

    yield make
    for loader in loaders:
        loader.close()


@pytest.fixture(autouse=True)
def start_method_as_before() -> Iterator[None]:
    before = multiprocessing.get_start_method(allow_none=True)
    yield
    multiprocessing.set_start_method(before, force=True)


@pytest.fixture(params=["forkserver", pytest.param("spawn", marks=pytest.mark.slow)])
def start_method(request: pytest.FixtureRequest) -> None:
    multiprocessing.set_start_method(request.param, force=True)
