import keras
import numpy as np
import pytest

from reprise.objectives.losses import ClassLoss, LabelsLoss

IDS = np.array([0, 2, 1], "int32")
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.25, 0.5, 0.25]], "float32")
YES = np.array([[1, 0], [0, 1]], "uint8")
Q = np.array([[0.8, 0.4], [0.1, 0.5]], "float32")


def test_hand_computed_for_one_class():
    losses = -np.log([0.7, 0.6, 0.5])
    assert float(ClassLoss()(IDS, P)) == pytest.approx(losses.mean(), abs=1e-6)
    weighted = (losses * [1, 3, 2]).mean()
    assert float(ClassLoss(class_weights=[1, 2, 3])(IDS, P)) == pytest.approx(weighted, abs=1e-6)


def test_smoothing_spreads_a_share_of_the_truth_over_all_classes():
    truth = 0.7 * np.eye(3)[IDS] + 0.3 / 3
    expected = -(truth * np.log(P)).sum(1).mean()
    assert float(ClassLoss(0.3)(IDS, P)) == pytest.approx(expected, abs=1e-6)
    theirs = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)(np.eye(3)[IDS], P)
    assert float(ClassLoss(0.3)(IDS, P)) == pytest.approx(float(theirs), abs=1e-6)


def test_hand_computed_for_several_labels():
    losses = -np.log([[0.8, 0.6], [0.9, 0.5]])
    assert float(LabelsLoss()(YES, Q)) == pytest.approx(losses.mean(), abs=1e-6)
    weighted = (losses * [1, 3]).mean()
    assert float(LabelsLoss(class_weights=[1, 3])(YES, Q)) == pytest.approx(weighted, abs=1e-6)
    theirs = keras.losses.BinaryCrossentropy(label_smoothing=0.2)(YES.astype("float32"), Q)
    assert float(LabelsLoss(0.2)(YES, Q)) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("loss", [ClassLoss(0.1, [1.0, 2.0]), LabelsLoss(0.1, [1.0, 2.0])])
def test_certainly_wrong_answers_still_have_a_gradient(loss):
    import tensorflow as tf

    is_one = isinstance(loss, ClassLoss)
    head = keras.layers.Activation("softmax" if is_one else "sigmoid", dtype="float32")
    logits = tf.Variable([[-60.0, 60.0]])
    truth = np.array([0], "int32") if is_one else np.array([[1, 0]], "uint8")
    with tf.GradientTape() as tape:
        value = loss(truth, head(logits))
    gradient = np.asarray(tape.gradient(value, logits))[0]
    assert np.isfinite(gradient).all()
    assert gradient[0] < -0.4
    assert gradient[1] > 0.4


def test_sums_are_float32_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for loss in (ClassLoss()(IDS, P), LabelsLoss()(YES, Q)):
            assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("loss", "truth", "guess"),
    [(ClassLoss(0.1, [1, 2, 3]), IDS, P), (LabelsLoss(0.1, [1, 2]), YES, Q)],
)
def test_a_saved_loss_is_the_same_loss_and_xla_gives_its_value(loss, truth, guess):
    import tensorflow as tf

    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(truth, guess)) == float(loss(truth, guess))
    compiled = tf.function(loss, jit_compile=True)
    received = float(compiled(tf.constant(truth), tf.constant(guess)))
    assert received == pytest.approx(float(loss(truth, guess)), rel=1e-5)
