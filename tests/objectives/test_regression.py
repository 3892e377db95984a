import keras
import numpy as np
import pytest
from objectives.saving import assert_scores_are_the_split_s_and_saved

from reprise.objectives.regression import build
from reprise.spec import Spec


@pytest.mark.parametrize(("shape", "channels"), [((), 1), ((1,), 1), ((3,), 3), ((8, 6, 2), 2)])
def test_loss_and_metrics_follow_the_target(shape, channels):
    loss, metrics = build(Spec(shape, "float32", scale=(2.0,)), loss="huber")
    assert (loss.kind, loss.scale) == ("huber", [2.0])
    assert [metric.name for metric in metrics] == ["mae", "rmse", "r2"]
    assert {metric.channels for metric in metrics} == {channels}


@pytest.mark.parametrize("shape", [(), (3, 2, 2)])
def test_values_are_the_split_s_in_the_user_s_unit_and_a_saved_model_gives_them_again(
    shape, tmp_path
):
    rng = np.random.default_rng(0)
    size = int(np.prod(shape))
    layers = [keras.layers.Dense(size), keras.layers.Reshape(shape), keras.layers.Rescaling(1e5)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    spec = Spec(shape, "float32", scale=(1e5,) * (2 if shape else 1))
    x = rng.normal(size=(23, 4)).astype("float32")
    y = (1e6 + 1e5 * rng.normal(size=(23, *shape))).astype("float32")
    expected = assert_scores_are_the_split_s_and_saved(model, build(spec), x, y, tmp_path)
    error = model.predict(x, verbose=0).astype("float64") - y
    assert expected["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-6)
    assert expected["loss"] == pytest.approx((error**2).mean() / 1e10, rel=1e-5)
    assert expected["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
    assert expected["r2"] < -10  # the model answers around 0
