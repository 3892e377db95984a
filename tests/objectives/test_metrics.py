import os

import keras
import numpy as np
import pytest

from reprise.objectives.metrics import ClassScore

KINDS = ("iou", "f1", "accuracy")
# Hits: 2 of 3, 1 of 2, 1 of 1; a pixel of class 0 is taken for 1, and one of class 1 for 2.
TRUTH, GUESS = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2]
IOU, F1 = [2 / 3, 1 / 3, 1 / 2], [4 / 5, 2 / 4, 2 / 3]


def as_masks(ids):
    return np.array(ids, "uint8").reshape(1, 1, -1, 1)


def as_probabilities(ids, classes):
    return np.eye(classes, dtype="float32")[np.array(ids)].reshape(1, 1, -1, classes)


def score(kind, truth, probabilities, classes, **options):
    metric = ClassScore(kind, classes, **options)
    metric.update_state(truth, probabilities)
    return float(metric.result())


def test_hand_computed_for_several_classes():
    truth, guess = as_masks(TRUTH), as_probabilities(GUESS, 3)
    assert score("iou", truth, guess, 3) == pytest.approx(np.mean(IOU))
    assert score("f1", truth, guess, 3) == pytest.approx(np.mean(F1))
    assert score("accuracy", truth, guess, 3) == pytest.approx(4 / 6)
    for at in range(3):
        assert score("iou", truth, guess, 3, class_id=at) == pytest.approx(IOU[at])
        assert score("f1", truth, guess, 3, class_id=at) == pytest.approx(F1[at])


def test_classes_of_samples_score_as_pixels_do():
    truth, guess = np.array(TRUTH), as_probabilities(GUESS, 3)[0, 0]
    for kind in KINDS:
        expected = score(kind, as_masks(TRUTH), as_probabilities(GUESS, 3), 3)
        assert score(kind, truth, guess, 3) == expected


def test_hand_computed_for_yes_or_no():
    truth = as_masks([1, 1, 0, 0])
    probabilities = np.array([0.9, 0.4, 0.6, 0.1], "float32").reshape(1, 1, 4, 1)
    assert score("iou", truth, probabilities, 1) == pytest.approx(1 / 3)
    assert score("f1", truth, probabilities, 1) == pytest.approx(1 / 2)
    assert score("accuracy", truth, probabilities, 1) == pytest.approx(1 / 2)
    assert score("iou", truth, probabilities, 1, threshold=0.3) == pytest.approx(2 / 3)
    assert score("iou", truth, probabilities, 1, threshold=0.7) == pytest.approx(1 / 2)


@pytest.mark.parametrize(("kind", "theirs"), [("iou", "IOUScore"), ("f1", "FScore")])
def test_equals_segmentation_models_on_one_batch(kind, theirs):
    os.environ["SM_FRAMEWORK"] = "tf.keras"
    import segmentation_models

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (2, 8, 8, 1)).astype("uint8")
    probabilities = rng.random((2, 8, 8, 1)).astype("float32")
    expected = getattr(segmentation_models.metrics, theirs)(threshold=0.5)(
        keras.ops.convert_to_tensor(truth.astype("float32")),
        keras.ops.convert_to_tensor(probabilities),
    )
    assert score(kind, truth, probabilities, 1) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_no_batch_size_changes_a_score(kind):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (7, 4, 4, 1)).astype("uint8")
    probabilities = rng.random((7, 4, 4, 3)).astype("float32")
    scores = set()
    for batch_size in (1, 2, 7):
        metric = ClassScore(kind, 3)
        for at in range(0, 7, batch_size):
            metric.update_state(truth[at : at + batch_size], probabilities[at : at + batch_size])
        scores.add(float(metric.result()))
    assert len(scores) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_ignored_pixels_count_nowhere(kind):
    truth, guess = as_masks([*TRUTH, 255, 255]), as_probabilities([*GUESS, 0, 2], 3)
    expected = score(kind, as_masks(TRUTH), as_probabilities(GUESS, 3), 3)
    assert score(kind, truth, guess, 3, ignore=255) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [1, 3])
def test_nothing_to_count_gives_0_not_nan(kind, classes):
    truth = as_masks([255, 255])
    assert score(kind, truth, np.full((1, 1, 2, classes), 0.4, "float32"), classes, ignore=255) == 0


def test_the_mean_is_over_the_classes_that_the_split_has():
    truth, guess = as_masks([0, 0, 1, 1]), as_probabilities([0, 0, 1, 2], 4)
    assert score("iou", truth, guess, 4) == pytest.approx((1 + 1 / 2) / 2)
    assert score("iou", truth, guess, 4, class_id=2) == 0  # guessed, never there
    assert score("iou", truth, guess, 4, class_id=3) == 0  # neither


def test_counts_are_exact_beyond_what_float32_holds():
    metric = ClassScore("accuracy", 1)
    metric.confusion.assign([[2.0**24, 0], [0, 0]])
    metric.update_state(as_masks([0]), np.zeros((1, 1, 1, 1), "float32"))
    assert float(metric.confusion[0, 0]) == 2**24 + 1


def test_a_score_can_be_put_back_as_it_was():
    metric, again = ClassScore("iou", 3), ClassScore("iou", 3)
    metric.update_state(as_masks(TRUTH), as_probabilities(GUESS, 3))
    for source, target in zip(metric.variables, again.variables, strict=True):
        target.assign(np.asarray(source))
    metric.update_state(as_masks([0, 1]), as_probabilities([1, 1], 3))
    again.update_state(as_masks([0, 1]), as_probabilities([1, 1], 3))
    assert float(again.result()) == float(metric.result())
    again.reset_state()
    assert float(again.result()) == 0


def test_a_saved_score_is_the_same_score():
    metric = ClassScore("f1", 3, class_id=1, threshold=0.4, ignore=255, name="f1_car")
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    assert again.name == "f1_car"


def test_xla_gives_the_same_counts():
    import tensorflow as tf

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (2, 4, 4, 1)).astype("uint8")
    probabilities = rng.random((2, 4, 4, 3)).astype("float32")
    metric = ClassScore("iou", 3, ignore=2)
    metric.update_state(truth, probabilities)
    expected = np.asarray(metric.confusion)
    metric.reset_state()
    compiled = tf.function(metric.update_state, jit_compile=True)
    compiled(tf.constant(truth), tf.constant(probabilities))
    assert expected.sum() == (truth != 2).sum()
    assert np.array_equal(np.asarray(metric.confusion), expected)
