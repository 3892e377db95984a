import os

import keras
import numpy as np
import pytest
from objectives.gradients import value_and_gradient

from reprise.objectives.losses import (
    KINDS,
    ClassLoss,
    LabelsLoss,
    SegmentationLoss,
    ValueLoss,
)

BINARY, CATEGORICAL = 1, 3
CASES = [(kind, classes) for kind in KINDS for classes in (BINARY, CATEGORICAL)]
IDS = np.array([0, 2, 1], "int32")
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.25, 0.5, 0.25]], "float32")
YES = np.array([[1, 0], [0, 1]], "uint8")
Q = np.array([[0.8, 0.4], [0.1, 0.5]], "float32")


def masks_and_probabilities(classes, shape=(2, 4, 6), seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, max(2, classes), (*shape, 1)).astype("uint8")
    if classes == BINARY:
        return ids, rng.uniform(0.02, 0.98, (*shape, 1)).astype("float32")
    logits = rng.normal(size=(*shape, classes))
    return ids, (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)).astype("float32")


def as_probabilities(ids, classes):
    certain = ids if classes == BINARY else np.eye(classes)[ids[..., 0]]
    return certain.astype("float32")


def value(kind, ids, probabilities, **options):
    return float(SegmentationLoss(kind, **options)(ids, probabilities))


def loss_and_gradient(kind, ids, probabilities, **options):
    return value_and_gradient(SegmentationLoss(kind, **options), ids, probabilities)


@pytest.mark.parametrize(
    ("kind", "classes", "theirs", "weights"),
    [
        ("cross_entropy", BINARY, "BinaryCELoss", None),
        ("dice", BINARY, "DiceLoss", None),
        ("jaccard", BINARY, "JaccardLoss", None),
        ("focal", BINARY, "BinaryFocalLoss", None),
        ("cross_entropy", CATEGORICAL, "CategoricalCELoss", None),
        ("dice", CATEGORICAL, "DiceLoss", None),
        ("jaccard", CATEGORICAL, "JaccardLoss", None),
        ("focal", CATEGORICAL, "CategoricalFocalLoss", None),
        ("cross_entropy", CATEGORICAL, "CategoricalCELoss", [0.5, 1.0, 1.5]),
        ("dice", CATEGORICAL, "DiceLoss", [0.5, 1.0, 1.5]),
    ],
)
def test_equals_segmentation_models_for_weights_with_mean_1(kind, classes, theirs, weights):
    os.environ["SM_FRAMEWORK"] = "tf.keras"
    import segmentation_models

    ids, probabilities = masks_and_probabilities(classes)
    options = {} if weights is None else {"class_weights": np.array(weights, "float32")}
    loss = getattr(segmentation_models.losses, theirs)(**options)
    expected = float(
        loss(as_probabilities(ids, classes), keras.ops.convert_to_tensor(probabilities))
    )
    if theirs.startswith("Categorical"):  # divides by the number of classes, too
        expected *= CATEGORICAL
    assert expected > 0.05
    received = value(kind, ids, probabilities, class_weights=weights)
    assert received == pytest.approx(expected, abs=1e-5)
    if weights:
        doubled = value(kind, ids, probabilities, class_weights=[2 * one for one in weights])
        assert doubled == pytest.approx(expected, abs=1e-5)


def test_cross_entropy_dice_is_the_sum_of_both():
    given = masks_and_probabilities(CATEGORICAL)
    expected = value("cross_entropy", *given) + value("dice", *given)
    assert value("cross_entropy_dice", *given) == pytest.approx(expected, abs=1e-5)


def test_hand_computed_lovasz():
    # Errors 0.6 (no), 0.3 (yes), 0.2 (no) in that order; the Jaccard loss steps 0.5, 0.5, 0.
    ids = np.array([1, 0, 0], "uint8").reshape(1, 1, 3, 1)
    probabilities = np.array([0.7, 0.6, 0.2], "float32").reshape(1, 1, 3, 1)
    assert value("lovasz", ids, probabilities) == pytest.approx(0.6 * 0.5 + 0.3 * 0.5, abs=1e-5)


@pytest.mark.parametrize(("kind", "classes"), CASES)
def test_ignored_pixels_count_nowhere_and_a_batch_of_them_has_loss_0_and_no_gradient(kind, classes):
    ids, probabilities = masks_and_probabilities(classes)
    expected = value(kind, ids[:, :, :4], probabilities[:, :, :4])
    ids[:, :, 4:] = 255
    assert value(kind, ids, probabilities, ignore=255) == pytest.approx(expected, abs=1e-6)
    loss, gradient = loss_and_gradient(kind, np.full_like(ids, 255), probabilities, ignore=255)
    assert loss == 0
    assert np.array_equal(gradient, np.zeros_like(probabilities))


@pytest.mark.parametrize(("kind", "classes"), CASES)
def test_certain_predictions_cost_nothing_or_have_finite_loss_and_gradient(kind, classes):
    ids, guesses = (masks_and_probabilities(classes, seed=seed)[0] for seed in (0, 1))
    assert value(kind, ids, as_probabilities(ids, classes)) == pytest.approx(0, abs=1e-5)
    loss, gradient = loss_and_gradient(kind, ids, as_probabilities(guesses, classes))
    assert np.isfinite(loss)
    assert loss > 0
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", ["dice", "jaccard", "lovasz"])
def test_a_class_that_the_batch_has_not_counts_for_nothing(kind):
    ids, probabilities = masks_and_probabilities(CATEGORICAL)
    ids = np.minimum(ids, 1)
    per_class = []
    for at in (0, 1):  # class 2 is absent; each of the others alone is a yes/no question
        yes = (ids == at).astype("uint8")
        per_class.append(value(kind, yes, probabilities[..., at : at + 1]))
    assert value(kind, ids, probabilities) == pytest.approx(np.mean(per_class), abs=1e-6)


def test_the_weights_of_a_yes_no_target_are_those_of_no_and_yes():
    ids = np.array([1, 0], "uint8").reshape(1, 1, 2, 1)
    probabilities = np.array([0.5, 0.25], "float32").reshape(1, 1, 2, 1)
    expected = -(1.5 * np.log(0.5) + 0.5 * np.log(0.75)) / 2
    received = value("cross_entropy", ids, probabilities, class_weights=[1, 3])
    assert received == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "truth", "activation", "expected"),
    [
        (SegmentationLoss("cross_entropy"), np.ones((1, 1, 1, 1), "uint8"), "sigmoid", 60),
        (ClassLoss(0.1, [1.0, 2.0]), np.array([0], "int32"), "softmax", 0.95 * 120),
        (LabelsLoss(0.1, [1.0, 2.0]), np.array([[1, 0]], "uint8"), "sigmoid", 0.95 * 60 * 1.5),
    ],
)
def test_certainly_wrong_answers_still_have_a_gradient(loss, truth, activation, expected):
    is_mask = truth.ndim == 4
    logits = np.full((1, 1, 1, 1), -60.0) if is_mask else np.array([[-60.0, 60.0]])
    value, gradient = value_and_gradient(loss, truth, logits.astype("float32"), activation)
    assert value == pytest.approx(expected)
    gradient = gradient.ravel()
    assert np.isfinite(gradient).all()
    assert gradient[0] < -0.4
    assert gradient[-1] > 0.4 or is_mask


@pytest.mark.parametrize(
    ("loss", "truth", "guess", "per_answer"),
    [
        (ClassLoss, IDS, P, -np.log([0.7, 0.6, 0.5])),
        (LabelsLoss, YES, Q, -np.log([[0.8, 0.6], [0.9, 0.5]])),
    ],
)
def test_hand_computed_for_one_class_and_for_several_labels(loss, truth, guess, per_answer):
    assert float(loss()(truth, guess)) == pytest.approx(per_answer.mean(), abs=1e-6)
    weights = [1, 2, 3][: guess.shape[1]]
    weighted = per_answer * (np.take(weights, truth) if truth.ndim == 1 else weights)
    received = float(loss(class_weights=weights)(truth, guess))
    assert received == pytest.approx(weighted.mean(), abs=1e-6)


def test_smoothing_spreads_a_share_of_the_truth_as_keras_does():
    theirs = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)(np.eye(3)[IDS], P)
    assert float(ClassLoss(0.3)(IDS, P)) == pytest.approx(float(theirs), abs=1e-6)
    theirs = keras.losses.BinaryCrossentropy(label_smoothing=0.2)(YES.astype("float32"), Q)
    assert float(LabelsLoss(0.2)(YES, Q)) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("kind", ["mse", "mae", "huber"])
@pytest.mark.parametrize("shape", [(), (3,), (4, 5, 2)])
def test_a_loss_is_the_mean_over_all_values_of_any_shape_and_unit(kind, shape):
    rng = np.random.default_rng(0)
    unit = np.array([1, 1e5, 1e-3])[: shape[-1]] if shape else np.array([1e5])
    truth = (rng.normal(size=(23, *shape)) * np.squeeze(unit) + 10 * unit.max()).astype("float32")
    error = 0.3 * rng.normal(size=truth.shape) * np.squeeze(unit)
    guess = (truth + error).astype("float32")
    error = (guess.astype("float64") - truth) / np.squeeze(unit)
    size = np.abs(error)
    by_hand = {"mse": error**2, "mae": size, "huber": np.where(size <= 1, error**2 / 2, size - 0.5)}
    received = float(ValueLoss(kind, unit.tolist())(truth, guess))
    assert received == pytest.approx(by_hand[kind].mean(), rel=1e-4)
    assert received > 0.01


LOSSES = {
    **{
        f"{kind} {classes}": (
            SegmentationLoss(kind, [1.0, 2.0, 3.0][: max(2, classes)], ignore=2),
            *masks_and_probabilities(classes),
        )
        for kind, classes in CASES
    },
    "class": (ClassLoss(0.1, [1, 2, 3]), IDS, P),
    "labels": (LabelsLoss(0.1, [1, 2]), YES, Q),
    "huber": (ValueLoss("huber", (1.0, 0.1, 2.0)), P[::-1], P),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_saved_loss_is_the_same_loss_xla_gives_its_value_and_sums_are_float32(name):
    loss, truth, guess = LOSSES[name]
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert keras.saving.get_registered_name(type(loss)) == f"reprise>{type(loss).__name__}"
    expected = float(loss(truth, guess))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        again = type(loss).from_config(loss.get_config())
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(again.dtype) == "float32"
    assert float(again(truth, guess)) == expected
    received, _ = value_and_gradient(loss, truth, guess.astype("float32"))
    assert received == pytest.approx(expected, rel=1e-5)
