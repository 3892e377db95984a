import keras
import numpy as np
import pytest

from reprise.errors import UserError
from reprise.training.compile import compile_model
from reprise.training.fit import fit
from reprise.training.keeping import Keeping
from reprise.training.state import read_state
from reprise.training.trainer import Trainer

GOOD, STEPS = 6, 4
X, Y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")


def batches(start, bad):
    """Batches whose inputs are `bad` from step 6 on, in the second epoch."""
    for step in range(start, 100):
        yield (X if step < GOOD else np.full_like(X, bad)), Y


@pytest.mark.parametrize(
    ("bad", "limit", "said"),
    [
        (np.nan, None, "the loss is nan in epoch 2, step 3"),
        (np.inf, None, "in epoch 2, step 3"),
        (1e6, 1e3, "a finite number of at most 1000"),
    ],
)
def test_a_loss_that_blows_up_ends_the_run_with_the_last_good_state(bad, limit, said, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    compile_model(model, keras.optimizers.SGD(0.01), keras.losses.MeanSquaredError(), [])
    with pytest.raises(UserError, match=said):
        fit(
            model,
            lambda start: batches(start, bad),
            None,
            Trainer(epochs=9, loss_limit=limit),
            steps_per_epoch=STEPS,
            callbacks=[],
            keeping=Keeping(tmp_path, None, lambda: None, print),
        )
    state, passed = read_state(tmp_path)
    assert (state.step, passed) == (STEPS, [])
    assert all(np.isfinite(array).all() for array in state.arrays.values())


def test_it_goes_back_and_lowers_the_rate_as_often_as_allowed(tmp_path, capsys):
    """From step 0 with 10, then 1, then 0.1: as if it had begun with 0.1, to the last bit."""

    def trained(folder, rate, **settings):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        compile_model(model, keras.optimizers.SGD(rate), keras.losses.MeanSquaredError(), [])
        fit(
            model,
            lambda start: batches(start, 1.0),
            None,
            Trainer(epochs=2, loss_limit=1e3, **settings),
            steps_per_epoch=STEPS,
            callbacks=[],
            keeping=Keeping(folder, None, lambda: None, print),
        )
        return model

    model = trained(tmp_path / "back", 10.0, recoveries=3, reduce_lr_factor=0.1)
    said = capsys.readouterr().err
    assert said.count("back to step 0, with a learning rate of") == 2
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    state, _ = read_state(tmp_path / "back")
    assert (state.step, state.facts["recoveries"]) == (2 * STEPS, 2)
    rate = float(model.optimizer.learning_rate)  # 0.1 as two roundings to float32 leave it
    np.testing.assert_array_equal(
        model.get_weights()[0], trained(tmp_path / "begun", rate).get_weights()[0]
    )
    with pytest.raises(UserError, match=r"(?s)the loss is.*trainer\.recoveries"):
        trained(tmp_path / "often", 10.0, recoveries=1, reduce_lr_factor=0.1)
