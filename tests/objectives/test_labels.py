import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from reprise.objectives.metrics import LabelScore

KINDS = ("accuracy", "exact", "f1")
TRUTH = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], "uint8")
GUESS = np.array([[0.9, 0.2, 0.1], [0.4, 0.8, 0.1], [0.1, 0.6, 0.7]], "float32")


def score(kind, truth=TRUTH, guess=GUESS, **options):
    metric = LabelScore(kind, truth.shape[1], **options)
    metric.update_state(truth, guess)
    return float(metric.result())


def test_hand_computed():
    assert score("accuracy") == pytest.approx(7 / 9)
    assert score("exact") == pytest.approx(1 / 3)
    assert [score("f1", label_id=at) for at in range(3)] == pytest.approx([2 / 3, 1, 0])
    assert score("f1") == pytest.approx((2 / 3 + 1) / 2)  # no sample has the third label
    assert score("exact", threshold=0.3) == pytest.approx(2 / 3)
    assert score("accuracy", threshold=0.75) == pytest.approx(7 / 9)


def test_equals_scikit_learn_and_no_batch_size_changes_it():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (37, 5)).astype("uint8")
    guess = rng.random((37, 5)).astype("float32")
    expected = {
        "accuracy": (truth == (guess > 0.5)).mean(),
        "exact": accuracy_score(truth, guess > 0.5),
        "f1": f1_score(truth, guess > 0.5, average="macro"),
    }
    assert set(expected) == set(KINDS)
    for kind, value in expected.items():
        for size in (1, 4, 37):
            metric = LabelScore(kind, 5)
            for at in range(0, 37, size):
                metric.update_state(truth[at : at + size], guess[at : at + size])
            assert float(metric.result()) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_count_gives_0_not_nan_also_after_a_reset(kind):
    metric = LabelScore(kind, 3)
    assert float(metric.result()) == 0
    metric.update_state(TRUTH, GUESS)
    assert float(metric.result()) > 0
    metric.reset_state()
    assert float(metric.result()) == 0


def test_a_saved_score_is_the_same_score_and_xla_gives_its_counts():
    import tensorflow as tf

    metric = LabelScore("f1", 3, label_id=1, threshold=0.4, name="f1_car")
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    assert again.name == "f1_car"
    metric.update_state(TRUTH, GUESS)
    tf.function(again.update_state, jit_compile=True)(tf.constant(TRUTH), tf.constant(GUESS))
    np.testing.assert_array_equal(np.asarray(again.counts), np.asarray(metric.counts))
