import random

import keras
import numpy as np
import pytest

from reprise.config.build import build
from reprise.spec import Spec
from reprise.training.checkpoint import of_any_size, saved_for_any_size

MASK = Spec((64, 96, 1), "uint8", ("a", "b", "c"), 255)


def made(model, spec=MASK, size=(64, 96), **options):
    pictures = Spec((*size, 3), "uint8")
    keras.utils.set_random_seed(0)
    return build({"_target_": f"reprise.models.{model}.build", **options}, pictures, spec)


@pytest.mark.parametrize(
    "model", ["unet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("fpn", "linknet"))]
)
def test_a_model_trained_at_one_size_takes_others_and_gives_the_same(model, tmp_path):
    trained = made(model)
    state = random.getstate()
    x = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), np.uint8)
    with saved_for_any_size(trained, of_any_size(trained) is not None):
        trained.save(tmp_path / "m.keras")
    assert random.getstate() == state
    assert trained.input_shape == (None, 64, 96, 3)
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.input_shape == (None, None, None, 3)
    assert np.array_equal(loaded.predict_on_batch(x), trained.predict_on_batch(x))
    assert loaded(np.tile(x, (1, 2, 1, 1))).shape == (2, 128, 96, 3)


def test_a_model_whose_layers_depend_on_the_size_keeps_it():
    yes = Spec((48, 96, 1), "uint8", ("a",))
    assert of_any_size(made("pspnet", yes, (48, 96))) is None
    assert of_any_size(made("cnn", spec=Spec((), "int32", ("a", "b")))) is None
