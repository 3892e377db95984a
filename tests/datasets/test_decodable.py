"""Samples made in two steps, one by one and in batches."""

import numpy as np
import pytest

from reprise.datasets.decodable import Decodable, DecodableRows
from reprise.spec import Spec


class Squares(DecodableRows):
    """x is the index squared, plus what is drawn; y is the index."""

    input_spec, target_spec = Spec((1,), "float64"), Spec((), "int64")
    decoded, recipe = (Spec((1,), "float64"), Spec((), "int64")), "squares"

    def __len__(self):
        return 9

    def name(self, index):
        return f"square {index}"

    def splits(self):
        return {"train": np.arange(9)}

    def decode_many(self, indices):
        return indices[:, None] ** 2.0, np.asarray(indices)

    def finish_many(self, arrays, indices, rngs):
        drawn = [rng.random() if rng else 0.0 for rng in rngs]
        return arrays[0] + np.array(drawn)[:, None], arrays[1]


def test_one_sample_is_the_row_of_a_batch():
    squares = Squares()
    assert [array.tolist() for array in squares.decode(3)] == [[9.0], 3]
    for make in (lambda: None, lambda: np.random.default_rng(4)):
        x, y = squares.read(3, make())
        many = squares.read_many(np.array([5, 3]), [None, make()])
        assert (x.tolist(), int(y)) == (many[0][1].tolist(), int(many[1][1]))
        parts = squares.decode(3)
        assert np.array_equal(squares.finish(parts, 3, make())[0], x)
    assert many[0][0].tolist() == [25.0]


def test_both_steps_must_be_written():
    with pytest.raises(TypeError, match=r"decode.*finish"):
        Decodable()
