import os

import keras
import numpy as np
import pytest
from keras import ops

from reprise.objectives.losses import KINDS, SegmentationLoss

BINARY, CATEGORICAL = 1, 3
CASES = [(kind, classes) for kind in KINDS for classes in (BINARY, CATEGORICAL)]


def masks_and_probabilities(classes, shape=(2, 4, 6), seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, max(2, classes), (*shape, 1)).astype("uint8")
    if classes == BINARY:
        return ids, rng.uniform(0.02, 0.98, (*shape, 1)).astype("float32")
    logits = rng.normal(size=(*shape, classes))
    return ids, (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)).astype("float32")


def value(kind, ids, probabilities, **options):
    return float(SegmentationLoss(kind, **options)(ids, probabilities))


@pytest.fixture(scope="module")
def library():
    os.environ["SM_FRAMEWORK"] = "tf.keras"
    import segmentation_models

    return segmentation_models.losses


def test_every_kind_is_known():
    assert len(KINDS) == 6
    assert len(CASES) == 12


@pytest.mark.parametrize(
    ("kind", "classes", "theirs", "factor"),
    [
        ("cross_entropy", BINARY, "BinaryCELoss", 1),
        ("dice", BINARY, "DiceLoss", 1),
        ("jaccard", BINARY, "JaccardLoss", 1),
        ("focal", BINARY, "BinaryFocalLoss", 1),
        # Theirs divides by the number of classes as well as by the number of pixels.
        ("cross_entropy", CATEGORICAL, "CategoricalCELoss", CATEGORICAL),
        ("dice", CATEGORICAL, "DiceLoss", 1),
        ("jaccard", CATEGORICAL, "JaccardLoss", 1),
        ("focal", CATEGORICAL, "CategoricalFocalLoss", CATEGORICAL),
    ],
)
def test_equals_segmentation_models(library, kind, classes, theirs, factor):
    ids, probabilities = masks_and_probabilities(classes)
    truth = (
        ids.astype("float32")
        if classes == BINARY
        else np.eye(classes, dtype="float32")[ids[..., 0]]
    )
    expected = factor * float(
        getattr(library, theirs)()(truth, ops.convert_to_tensor(probabilities))
    )
    assert expected > 0.05
    assert value(kind, ids, probabilities) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "theirs"), [("cross_entropy", "CategoricalCELoss"), ("dice", "DiceLoss")]
)
def test_class_weights_equal_segmentation_models_for_weights_with_mean_1(library, kind, theirs):
    ids, probabilities = masks_and_probabilities(CATEGORICAL)
    weights = [0.5, 1.0, 1.5]
    loss = getattr(library, theirs)(class_weights=np.array(weights, "float32"))
    expected = float(
        loss(np.eye(3, dtype="float32")[ids[..., 0]], ops.convert_to_tensor(probabilities))
    )
    expected *= CATEGORICAL if kind == "cross_entropy" else 1
    assert value(kind, ids, probabilities, class_weights=weights) == pytest.approx(
        expected, abs=1e-5
    )
    doubled = [2 * weight for weight in weights]
    assert value(kind, ids, probabilities, class_weights=doubled) == pytest.approx(
        expected, abs=1e-5
    )


def test_hand_computed_binary():
    ids = np.array([1, 0, 1, 0], "uint8").reshape(1, 2, 2, 1)
    probabilities = np.array([0.8, 0.4, 0.5, 0.1], "float32").reshape(1, 2, 2, 1)
    cross_entropy = -(np.log(0.8) + np.log(0.6) + np.log(0.5) + np.log(0.9)) / 4
    both, sizes = 0.8 + 0.5, 2 + 1.8
    dice = 1 - 2 * both / sizes
    assert value("cross_entropy", ids, probabilities) == pytest.approx(cross_entropy, abs=1e-6)
    assert value("dice", ids, probabilities) == pytest.approx(dice, abs=1e-5)
    assert value("jaccard", ids, probabilities) == pytest.approx(
        1 - both / (sizes - both), abs=1e-5
    )
    assert value("cross_entropy_dice", ids, probabilities) == pytest.approx(
        cross_entropy + dice, abs=1e-5
    )
    focal = 0.25 * (0.04 * -np.log(0.8) + 0.25 * -np.log(0.5))
    focal += 0.75 * (0.16 * -np.log(0.6) + 0.01 * -np.log(0.9))
    assert value("focal", ids, probabilities) == pytest.approx(focal / 4, abs=1e-6)


def test_hand_computed_lovasz():
    # Errors 0.6 (no), 0.3 (yes), 0.2 (no) in that order; the Jaccard loss steps 0.5, 0.5, 0.
    ids = np.array([1, 0, 0], "uint8").reshape(1, 1, 3, 1)
    probabilities = np.array([0.7, 0.6, 0.2], "float32").reshape(1, 1, 3, 1)
    assert value("lovasz", ids, probabilities) == pytest.approx(0.6 * 0.5 + 0.3 * 0.5, abs=1e-5)


@pytest.mark.parametrize("classes", [BINARY, CATEGORICAL])
def test_lovasz_of_certain_predictions_is_the_jaccard_loss(classes):
    ids, _ = masks_and_probabilities(classes)
    guesses, _ = masks_and_probabilities(classes, seed=1)
    certain = guesses if classes == BINARY else np.eye(classes)[guesses[..., 0]]
    certain = certain.astype("float32")
    jaccard = value("jaccard", ids, certain)
    assert 0.3 < jaccard < 0.9
    assert value("lovasz", ids, certain) == pytest.approx(jaccard, abs=1e-5)


@pytest.mark.parametrize(("kind", "classes"), CASES)
def test_ignored_pixels_count_nowhere(kind, classes):
    ids, probabilities = masks_and_probabilities(classes)
    expected = value(kind, ids[:, :, :4], probabilities[:, :, :4])
    ids[:, :, 4:] = 255
    assert value(kind, ids, probabilities, ignore=255) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("kind", "classes"), CASES)
def test_a_batch_of_ignored_pixels_has_loss_0_and_no_gradient(kind, classes):
    ids, probabilities = masks_and_probabilities(classes)
    loss, gradient = loss_and_gradient(kind, np.full_like(ids, 255), probabilities, ignore=255)
    assert loss == 0
    assert np.array_equal(gradient, np.zeros_like(probabilities))


@pytest.mark.parametrize(("kind", "classes"), CASES)
def test_certain_predictions_have_finite_loss_and_gradient(kind, classes):
    ids, _ = masks_and_probabilities(classes)
    guesses, _ = masks_and_probabilities(classes, seed=1)
    certain = guesses if classes == BINARY else np.eye(classes)[guesses[..., 0]]
    loss, gradient = loss_and_gradient(kind, ids, certain.astype("float32"))
    assert np.isfinite(loss)
    assert loss > 0
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(("kind", "classes"), CASES)
def test_the_right_answer_costs_nothing(kind, classes):
    ids, _ = masks_and_probabilities(classes)
    certain = ids if classes == BINARY else np.eye(classes)[ids[..., 0]]
    assert value(kind, ids, certain.astype("float32")) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("kind", ["dice", "jaccard", "lovasz"])
def test_a_class_that_the_batch_has_not_counts_for_nothing(kind):
    ids, probabilities = masks_and_probabilities(CATEGORICAL)
    ids = np.minimum(ids, 1)
    per_class = []
    for at in (0, 1):  # class 2 is absent; each of the others alone is a yes/no question
        yes = (ids == at).astype("uint8")
        per_class.append(value(kind, yes, probabilities[..., at : at + 1]))
    assert value(kind, ids, probabilities) == pytest.approx(np.mean(per_class), abs=1e-6)


def test_certainly_wrong_pixels_behind_a_sigmoid_still_have_a_gradient():
    import tensorflow as tf

    logits = tf.Variable(np.full((1, 1, 1, 1), -40, "float32"))
    head = keras.layers.Activation("sigmoid", dtype="float32")
    with tf.GradientTape() as tape:
        loss = SegmentationLoss("cross_entropy")(np.ones((1, 1, 1, 1), "uint8"), head(logits))
    assert float(tape.gradient(loss, logits)[0, 0, 0, 0]) == pytest.approx(-1.0)


def test_the_weights_of_a_yes_no_target_are_those_of_no_and_yes():
    ids = np.array([1, 0], "uint8").reshape(1, 1, 2, 1)
    probabilities = np.array([0.5, 0.25], "float32").reshape(1, 1, 2, 1)
    expected = -(1.5 * np.log(0.5) + 0.5 * np.log(0.75)) / 2
    received = value("cross_entropy", ids, probabilities, class_weights=[1, 3])
    assert received == pytest.approx(expected, abs=1e-6)


def test_sums_are_float32_under_a_mixed_policy():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        ids, probabilities = masks_and_probabilities(CATEGORICAL)
        loss = SegmentationLoss("cross_entropy_dice")(ids, probabilities)
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    finally:
        keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize(("kind", "classes"), CASES)
def test_a_saved_loss_is_the_same_loss(kind, classes):
    weights = [1.0, 2.0, 3.0][: max(2, classes)]
    loss = SegmentationLoss(kind, weights, ignore=255)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    ids, probabilities = masks_and_probabilities(classes)
    assert float(again(ids, probabilities)) == float(loss(ids, probabilities))


@pytest.mark.parametrize(("kind", "classes"), CASES)
def test_xla_gives_the_same_value(kind, classes):
    import tensorflow as tf

    loss = SegmentationLoss(kind, ignore=255)
    ids, probabilities = masks_and_probabilities(classes)
    compiled = tf.function(loss, jit_compile=True)
    received = float(compiled(tf.constant(ids), tf.constant(probabilities)))
    assert received == pytest.approx(float(loss(ids, probabilities)), rel=1e-5)


def loss_and_gradient(kind, ids, probabilities, **options):
    import tensorflow as tf

    variable = tf.Variable(probabilities)
    with tf.GradientTape() as tape:
        loss = SegmentationLoss(kind, **options)(ids, ops.convert_to_tensor(variable))
    return float(loss), np.asarray(tf.convert_to_tensor(tape.gradient(loss, variable)))
