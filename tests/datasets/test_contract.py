"""What every dataset of conf/dataset promises, tried on tiny data of its kind."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from reprise.datasets.base import Dataset
from reprise.runs.experiment import build_dataset
from reprise.testing import DatasetContract

HERE = Path(__file__)
FILES = [  # a dataset without a test here is another package's
    file
    for file in sorted((HERE.parents[2] / "conf" / "dataset").glob("*.yaml"))
    if HERE.with_name(f"test_{file.stem}.py").exists()
]
STREAMS = {"stream"}  # of which tests/datasets/test_stream.py knows the shorter contract
NAMES = [file.stem for file in FILES if file.stem not in STREAMS]


class TestEveryDataset(DatasetContract):
    @pytest.fixture(params=NAMES)
    def dataset(self, request, tmp_path) -> Dataset:
        """The dataset of conf/dataset/NAME.yaml on the data that `tiny` of its own test makes."""
        file = next(file for file in FILES if file.stem == request.param)
        test = import_module(f"datasets.test_{request.param}")  # pythonpath has tests/
        tiny: dict[str, Any] = test.tiny(tmp_path)
        return build_dataset(OmegaConf.to_container(OmegaConf.merge(OmegaConf.load(file), tiny)))

    def test_splits_cover_every_sample_and_have_sources(self, dataset):
        splits = dataset.splits()
        assert set(splits) == {"train", "valid", "test"}
        assert sorted(np.concatenate(list(splits.values()))) == list(range(len(dataset)))
        assert len(dataset.sources) >= 1
