"""What the train split teaches, and that nothing else teaches it."""

import json

import numpy as np

from reprise.datasets.targets.arrays import Targets, standardized
from reprise.spec import Spec


def test_classes_are_counted_in_the_train_split_alone():
    targets = Targets(np.array([0, 2, 2, 1, 0], np.int32), Spec((), "int32", ("a", "b", "c", "d")))
    spec, learned = targets.learned(np.array([0, 1, 2]))
    assert spec.counts == (1, 0, 2, 0)
    assert json.loads(json.dumps(learned)) == {"counts": {"a": 1, "b": 0, "c": 2, "d": 0}}
    assert targets.label(1) == 2


def test_of_several_labels_each_is_counted():
    flags = np.zeros((300, 2), np.uint8)
    flags[:, 1] = 1
    targets = Targets(flags, Spec((2,), "uint8", ("a", "b")))
    assert targets.learned(np.arange(299))[0].counts == (0, 299)
    assert targets.label(0) is None


def test_values_have_mean_and_deviation_by_column():
    values = np.array([[1, 10], [3, 10], [100, 10]], np.float32)
    spec, learned = Targets(values, Spec((2,), "float32")).learned(np.array([0, 1]))
    assert (spec.offset, spec.scale) == ((2.0, 10.0), (1.0, 1.0))
    assert learned == {"target_offset": [2.0, 10.0], "target_scale": [1.0, 1.0]}
    single = Targets(values[:, 0], Spec((), "float32"))
    assert single.learned(np.array([0, 1]))[0].offset == (2.0,)
    assert single.label(0) is None


def test_chunks_give_what_the_whole_gives():
    values = np.random.default_rng(0).normal(1e6, 2.0, (1000, 3)).astype(np.float32)
    spec = Spec((3,), "float32")
    pieces = standardized(spec, np.array_split(values, 7))
    assert np.allclose(pieces.offset, values.astype(float).mean(0), rtol=1e-12)
    assert np.allclose(pieces.scale, values.astype(float).std(0), rtol=1e-9)
