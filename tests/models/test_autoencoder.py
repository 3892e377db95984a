import keras
import numpy as np
import pytest
from models.by_heart import by_heart, noise

from reprise.models import autoencoder
from reprise.objectives import regression
from reprise.spec import Spec


@pytest.mark.parametrize(
    ("size", "channels", "targets"),
    [((4, 4), 1, 1), ((5, 7), 2, 3), ((16, 9), 1, 1), ((1, 1), 1, 1)],
)
@pytest.mark.parametrize("filters", [[8], [16, 8], [8, 8, 8]])
def test_any_size_comes_back_as_it_went_in(size, channels, targets, filters):
    spec, target = Spec((*size, channels), "float32"), Spec((*size, targets), "float32")
    model = autoencoder.build(spec, target, filters=filters)
    assert np.asarray(model(noise(spec.shape, "float32"))).shape == (8, *size, targets)
    convolutions = [x.filters for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert convolutions == [*filters, targets]


def test_every_cell_of_an_odd_matrix_has_a_part_in_the_answer():
    spec = Spec((5, 7, 1), "float32")
    keras.utils.set_random_seed(0)
    model = autoencoder.build(spec, spec)
    base = np.asarray(model(np.zeros((1, 5, 7, 1), "float32")))
    cells = 10 * np.eye(35, dtype="float32").reshape(35, 5, 7, 1)
    moved = np.abs(np.asarray(model(cells)) - base).max(axis=(1, 2, 3))
    assert moved.min() > 1e-3


def test_a_sigmoid_s_reach_is_left_behind():
    # the seed's own values, integers from -7 to 7, beside a channel in another unit
    rng = np.random.default_rng(0)
    y = (rng.integers(-7, 8, (8, 1, 1, 2)) * np.ones((8, 5, 4, 2)) * [1, 1e4] + [0, 1e6]).astype(
        "float32"
    )
    spec = Spec((5, 4, 2), "float32", offset=(0.0, 1e6), scale=(4.0, 4e4))
    model, metrics = by_heart(
        lambda: autoencoder.build(spec, spec, filters=[32, 32]), y, y, regression.build(spec),
        steps=150,
    )  # fmt: skip
    received = np.asarray(model(y))
    assert metrics["r2"] > 0.95
    assert received[..., 0].min() < -5
    assert received[..., 0].max() > 3
    assert 9e5 < received[..., 1].min() < received[..., 1].max() < 1.1e6
