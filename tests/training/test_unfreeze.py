import keras
import numpy as np
import pytest

from reprise.training.fit import Unfreeze, build_optimizer
from reprise.training.state_callback import values_of, variables_of

EPOCHS, STEPS = 3, 2


@pytest.fixture(scope="module", autouse=True)
def _deterministic():
    if keras.backend.backend() != "tensorflow":
        yield
        return
    from tensorflow.python.framework import config as tf_config

    before = tf_config.is_op_determinism_enabled()
    tf_config.enable_op_determinism()
    yield
    if not before:  # it would keep XLA from the tests that come after
        tf_config.disable_op_determinism()


def new_model(release_epoch, optimizer="adam", frozen=True):
    """A network of two halves, nested as the segmentation models are, the first half frozen."""
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, padding="same", name="encoder_conv"),
            keras.layers.BatchNormalization(momentum=0.5, name="encoder_bn"),
            keras.layers.Conv2D(4, 3, padding="same", name="decoder_conv"),
            keras.layers.BatchNormalization(momentum=0.5, name="decoder_bn"),
            keras.layers.Dropout(0.5, seed=1, name="decoder_dropout"),
            keras.layers.Conv2D(1, 1, name="decoder_head"),
        ]
    )
    for layer in inner.layers:
        layer.trainable = not (frozen and layer.name.startswith("encoder"))
    images = keras.Input((8, 8, 1), dtype="uint8")
    logits = inner(keras.layers.Rescaling(1 / 255)(images))
    probabilities = keras.layers.Activation("sigmoid", dtype="float32")(logits)
    model = keras.Model(images, probabilities)
    model.release_epoch = release_epoch
    model.compile(optimizer=optimizer, loss="binary_crossentropy")
    build_optimizer(model)
    return model


def train(model, epochs, initial_epoch=0):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (EPOCHS * STEPS, 4, 8, 8, 1)).astype("uint8")
    y = rng.integers(0, 2, (EPOCHS * STEPS, 4, 8, 8, 1)).astype("uint8")
    batches = (batch for batch in list(zip(x, y, strict=True))[initial_epoch * STEPS :])
    callbacks = [] if model.release_epoch is None else [Unfreeze(model.release_epoch)]
    span = {"epochs": epochs, "initial_epoch": initial_epoch, "steps_per_epoch": STEPS}
    model.fit(batches, callbacks=callbacks, shuffle=False, verbose=0, **span)


def everything(model):
    return values_of(variables_of(model), "model")


def changed(model, part, since):
    """Which variables whose path has `part` in it are no longer what they were."""
    now = everything(model)
    keys = [key for key, v in zip(now, variables_of(model), strict=True) if part in v.path]
    assert keys
    return [not np.array_equal(now[key], since[key]) for key in keys]


def test_the_encoder_stands_still_before_its_release_and_moves_after_it():
    model = new_model(release_epoch=2)
    paths = [v.path for v in model.variables if "encoder" in v.path]
    assert len(paths) == 6  # kernel and bias; gamma, beta and both moving statistics
    start = everything(model)
    train(model, epochs=2)
    assert not any(changed(model, "/encoder", start))
    assert all(changed(model, "/decoder_conv", start))
    train(model, epochs=3, initial_epoch=2)
    assert all(changed(model, "/encoder", start))


def test_the_release_leaves_the_optimizer_as_it_is():
    model = new_model(release_epoch=1)
    train(model, epochs=1)
    before = everything(model)
    paths = [v.path for v in model.optimizer.variables]
    assert sum("decoder_conv" in path for path in paths) == 4  # two slots of kernel and bias
    assert sum("encoder" in path for path in paths) == 8
    callback = Unfreeze(1)
    callback.set_model(model)
    callback.on_epoch_begin(1)
    assert all(layer.trainable for layer in model.layers)
    assert [v.path for v in model.optimizer.variables] == paths
    np.testing.assert_equal(everything(model), before)


@pytest.mark.parametrize(
    ("optimizer", "release_epoch", "stopped_after"),
    [
        ("adam", 1, 1),
        pytest.param("sgd", 1, 2, marks=pytest.mark.slow),
        pytest.param("adam", 2, 1, marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_ends_bit_for_bit_like_one_that_was_not_stopped(
    optimizer, release_epoch, stopped_after
):
    def made():
        name = keras.optimizers.SGD(momentum=0.9) if optimizer == "sgd" else keras.optimizers.Adam()
        return new_model(release_epoch, name)

    whole, first, resumed = made(), made(), made()
    train(whole, EPOCHS)
    train(first, stopped_after)
    for variable, value in zip(variables_of(resumed), everything(first).values(), strict=True):
        variable.assign(value)
    train(resumed, EPOCHS, initial_epoch=stopped_after)
    assert len(everything(whole)) > 20
    np.testing.assert_equal(everything(resumed), everything(whole))


def test_an_encoder_that_is_never_released_has_no_slots():
    model = new_model(release_epoch=None)
    assert not any("encoder" in v.path for v in model.optimizer.variables)
    start = everything(model)
    train(model, epochs=1)
    assert not any(changed(model, "/encoder", start))


def test_loss_scaling_survives_the_release():
    model = new_model(1, keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))
    start = everything(model)
    train(model, EPOCHS)
    assert all(changed(model, "/encoder", start))
    assert all(np.isfinite(value).all() for value in everything(model).values())
