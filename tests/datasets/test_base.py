"""What a dataset with random access answers for its splits."""

import numpy as np
import pytest
from loading.loader_samples import Numbers

from reprise.errors import UserError


def test_recorded_names_become_indices():
    dataset, splits = Numbers(9), {"train": np.array([2, 0]), "test": np.array([1])}
    recorded = {split: dataset.record(indices) for split, indices in splits.items()}
    assert recorded == {"train": ["number-2.png", "number-0.png"], "test": ["number-1.png"]}
    found = dataset.restore(recorded, {})
    assert {split: indices.tolist() for split, indices in found.items()} == {
        "train": [2, 0], "test": [1],
    }  # fmt: skip
    assert {indices.dtype.name for indices in found.values()} == {"int64"}


def test_a_sample_that_is_gone_is_named():
    with pytest.raises(UserError, match=r"(?s)2 sample\(s\).*no x and 1 more"):
        Numbers(1).restore({"train": ["x", "y"]}, {})
