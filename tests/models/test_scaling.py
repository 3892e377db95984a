import keras
import numpy as np
import pytest

from reprise.models.scaling import scale, unscale
from reprise.spec import Spec


def scaled(values, spec):
    inputs = keras.Input(spec.shape, dtype=spec.dtype)
    return np.asarray(keras.Model(inputs, scale(inputs, spec))(values))


def unscaled(values, spec):
    inputs = keras.Input(spec.shape)
    return np.asarray(keras.Model(inputs, unscale(inputs, spec))(values))


@pytest.mark.parametrize(("dtype", "largest"), [("uint8", 255), ("uint16", 65535)])
def test_unsigned_integers_are_divided_by_their_largest_value(dtype, largest):
    received = scaled(np.array([[0, 51, largest]], dtype), Spec((3,), dtype))
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, [[0, 51 / largest, 1]], rtol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_everything_else_is_taken_as_it_is(dtype):
    values = np.array([[-7, 0, 7]], dtype)
    received = scaled(values, Spec((3,), dtype))
    assert received.dtype == np.float32
    np.testing.assert_array_equal(received, values)


def test_what_was_learned_holds_for_each_entry_of_the_last_axis_or_for_all():
    values = np.array([[10.0, 300.0], [14.0, 100.0]], "float32")
    each = scaled(values, Spec((2,), "float32", offset=(12.0, 200.0), scale=(2.0, 100.0)))
    np.testing.assert_allclose(each, [[-1, 1], [1, -1]])
    together = scaled(values, Spec((2,), "float32", offset=(10.0,), scale=(10.0,)))
    np.testing.assert_allclose(together, [[0, 29], [0.4, 9]], rtol=1e-6)


def test_what_was_learned_of_integers_takes_the_place_of_their_largest_value():
    received = scaled(np.array([[3, 5]], "uint8"), Spec((2,), "uint8", offset=(3,), scale=(2,)))
    np.testing.assert_array_equal(received, [[0, 1]])


def test_large_values_that_differ_little_keep_their_digits():
    spec = Spec((1,), "float32", offset=(16_000_000.0,), scale=(3.0,))
    received = scaled(np.array([[16_000_001.0], [15_999_997.0]], "float32"), spec)
    np.testing.assert_allclose(received, [[1 / 3], [-1]], rtol=1e-6)


def test_the_way_back_is_the_inverse():
    spec = Spec((2,), "float32", offset=(1e6, 0.0), scale=(1e5, 1e-9))
    outputs = np.array([[-1.5, 0.25], [0.0, 2.0]], "float32")
    values = unscaled(outputs, spec)
    np.testing.assert_allclose(values, [[850_000, 2.5e-10], [1e6, 2e-9]], rtol=1e-6)
    np.testing.assert_allclose(scaled(values, spec), outputs, rtol=1e-5)


def test_without_anything_learned_the_way_back_changes_nothing():
    values = np.array([[-7.0, 7.0]], "float32")
    np.testing.assert_array_equal(unscaled(values, Spec((2,), "float32")), values)
    shifted = unscaled(values, Spec((2,), "float32", offset=(1.0,)))
    np.testing.assert_array_equal(shifted, [[-6, 8]])
