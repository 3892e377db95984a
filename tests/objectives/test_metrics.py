import keras
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from reprise.objectives.metrics import ClassScore, LabelScore, ValueScore

# Hits: 2 of 3, 1 of 2, 1 of 1; a pixel of class 0 is taken for 1, and one of class 1 for 2.
TRUTH, GUESS = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2]
IOU, F1 = [2 / 3, 1 / 3, 1 / 2], [4 / 5, 2 / 4, 2 / 3]
LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], "uint8")
ANSWERS = np.array([[0.9, 0.2, 0.1], [0.4, 0.8, 0.1], [0.1, 0.6, 0.7]], "float32")


def as_masks(ids):
    return np.array(ids, "uint8").reshape(1, 1, -1, 1)


def as_probabilities(ids, classes):
    return np.eye(classes, dtype="float32")[np.array(ids)].reshape(1, 1, -1, classes)


def score(metric, truth, guess, size=None):
    for at in range(0, len(truth), size or len(truth)):
        batch = slice(at, at + (size or len(truth)))
        metric.update_state(truth[batch], guess[batch])
    return float(metric.result())


def of_classes(kind, truth, guess, classes, **options):
    return score(ClassScore(kind, classes, **options), truth, guess)


def of_labels(kind, **options):
    return score(LabelScore(kind, 3, **options), LABELS, ANSWERS)


def of_values(kind, truth, guess):
    return score(ValueScore(kind, truth.shape[-1] if truth.ndim > 1 else 1), truth, guess)


@pytest.mark.parametrize("are_pixels", [True, False])
def test_hand_computed_for_several_classes_of_pixels_or_samples(are_pixels):
    truth, guess = as_masks(TRUTH), as_probabilities(GUESS, 3)
    if not are_pixels:
        truth, guess = truth.ravel(), guess[0, 0]
    assert of_classes("iou", truth, guess, 3) == pytest.approx(np.mean(IOU))
    assert of_classes("f1", truth, guess, 3) == pytest.approx(np.mean(F1))
    assert of_classes("accuracy", truth, guess, 3) == pytest.approx(4 / 6)
    for at in range(3):
        assert of_classes("iou", truth, guess, 3, class_id=at) == pytest.approx(IOU[at])
        assert of_classes("f1", truth, guess, 3, class_id=at) == pytest.approx(F1[at])


@pytest.mark.parametrize(
    ("kind", "threshold", "expected"),
    [("iou", 0.5, 1 / 3), ("f1", 0.5, 1 / 2), ("accuracy", 0.5, 1 / 2), ("iou", 0.3, 2 / 3),
     ("iou", 0.7, 1 / 2)],
)  # fmt: skip
def test_hand_computed_for_yes_or_no(kind, threshold, expected):
    guess = np.array([0.9, 0.4, 0.6, 0.1], "float32").reshape(1, 1, 4, 1)
    received = of_classes(kind, as_masks([1, 1, 0, 0]), guess, 1, threshold=threshold)
    assert received == pytest.approx(expected)


def test_hand_computed_for_several_labels():
    assert of_labels("accuracy") == pytest.approx(7 / 9)
    assert of_labels("exact") == pytest.approx(1 / 3)
    assert [of_labels("f1", label_id=at) for at in range(3)] == pytest.approx([2 / 3, 1, 0])
    assert of_labels("f1") == pytest.approx((2 / 3 + 1) / 2)  # no sample has the third label
    assert of_labels("exact", threshold=0.3) == pytest.approx(2 / 3)
    assert of_labels("accuracy", threshold=0.75) == pytest.approx(7 / 9)


def test_r2_of_the_mean_is_0_of_a_worse_answer_below_and_of_a_constant_defined():
    truth, constant = np.array([1, 2, 3], "float32"), np.full((4, 2), 7, "float32")
    assert of_values("r2", truth, truth) == 1
    assert of_values("r2", truth, np.full(3, 2, "float32")) == 0
    assert of_values("r2", truth, np.array([3, 2, 1], "float32")) == -3
    assert of_values("r2", constant, constant) == 1
    assert of_values("r2", constant, constant + np.array([0, 1], "float32")) == 0.5


def scikit_learn_cases():
    rng = np.random.default_rng(0)
    ids, p = rng.integers(0, 3, 37), rng.random((37, 3)).astype("float32")
    yes, q = rng.integers(0, 2, (37, 5)).astype("uint8"), rng.random((37, 5)).astype("float32")
    for kind, theirs, options in (
        ("accuracy", "accuracy_score", {}),
        ("f1", "f1_score", {"average": "macro"}),
        ("iou", "jaccard_score", {"average": "macro"}),
    ):
        expected = getattr(sklearn_metrics, theirs)(ids, p.argmax(1), **options)
        yield f"class {kind}", lambda kind=kind: ClassScore(kind, 3), ids, p, expected
    for kind, expected in (
        ("accuracy", (yes == (q > 0.5)).mean()),
        ("exact", sklearn_metrics.accuracy_score(yes, q > 0.5)),
        ("f1", sklearn_metrics.f1_score(yes, q > 0.5, average="macro")),
    ):
        yield f"labels {kind}", lambda kind=kind: LabelScore(kind, 5), yes, q, expected
    for shape in ((), (3,), (4, 5, 2)):
        # In units as far apart as people have them: about 0, and a million give or take 100 000.
        unit = np.array([1, 1e5, 1e-3])[: shape[-1]] if shape else 1e5
        truth = rng.normal(size=(37, *shape)) * unit + (1e6 if not shape else 10 * unit)
        guess = (truth + 0.3 * rng.normal(size=truth.shape) * unit).astype("float32")
        truth = truth.astype("float32")
        last = shape[-1] if shape else 1
        flat = [array.astype("float64").reshape(-1, last) for array in (truth, guess)]
        for kind, theirs in (
            ("mae", "mean_absolute_error"),
            ("rmse", "root_mean_squared_error"),
            ("r2", "r2_score"),
        ):
            arrays = flat if kind == "r2" else [array.ravel() for array in flat]
            expected = getattr(sklearn_metrics, theirs)(*arrays)
            make = lambda kind=kind, last=last: ValueScore(kind, last)  # noqa: E731
            yield f"values {shape} {kind}", make, truth, guess, expected


SCIKIT_LEARN = {name: case for name, *case in scikit_learn_cases()}


@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_equals_scikit_learn_no_batch_size_changes_it_and_nothing_counted_gives_0(name):
    make, truth, guess, expected = SCIKIT_LEARN[name]
    assert expected > 0
    for size in (1, 4, 37):
        metric = make()
        assert float(metric.result()) == 0
        assert score(metric, truth, guess, size) == pytest.approx(expected, rel=1e-9)
        metric.reset_state()
        assert float(metric.result()) == 0


@pytest.mark.parametrize("kind", ["iou", "f1", "accuracy"])
def test_ignored_pixels_count_nowhere(kind):
    truth, guess = as_masks([*TRUTH, 255, 255]), as_probabilities([*GUESS, 0, 2], 3)
    expected = of_classes(kind, as_masks(TRUTH), as_probabilities(GUESS, 3), 3)
    assert of_classes(kind, truth, guess, 3, ignore=255) == expected
    for classes in (1, 3):
        guess = np.full((1, 1, 2, classes), 0.4, "float32")
        assert of_classes(kind, as_masks([255, 255]), guess, classes, ignore=255) == 0


def test_the_mean_is_over_the_classes_that_the_split_has():
    truth, guess = as_masks([0, 0, 1, 1]), as_probabilities([0, 0, 1, 2], 4)
    assert of_classes("iou", truth, guess, 4) == pytest.approx((1 + 1 / 2) / 2)
    assert of_classes("iou", truth, guess, 4, class_id=2) == 0  # guessed, never there
    assert of_classes("iou", truth, guess, 4, class_id=3) == 0  # neither


def test_counts_are_exact_beyond_what_float32_holds():
    metric = ClassScore("accuracy", 1)
    metric.confusion.assign([[2.0**24, 0], [0, 0]])
    metric.update_state(as_masks([0]), np.zeros((1, 1, 1, 1), "float32"))
    assert float(metric.confusion[0, 0]) == 2**24 + 1


@pytest.mark.parametrize(
    ("metric", "truth", "guess"),
    [
        (
            ClassScore("f1", 3, class_id=1, threshold=0.4, ignore=2, name="f1_car"),
            as_masks(TRUTH),
            as_probabilities(GUESS, 3),
        ),
        (LabelScore("f1", 3, label_id=1, threshold=0.4, name="f1_car"), LABELS, ANSWERS),
        (ValueScore("r2", 3), LABELS.astype("float32"), ANSWERS),
    ],
)
def test_a_score_saved_or_put_back_is_the_same_score_and_xla_gives_its_counts(metric, truth, guess):
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    assert again.name == metric.name
    assert keras.saving.get_registered_name(type(metric)) == f"reprise>{type(metric).__name__}"
    metric.update_state(truth, guess)
    for source, target in zip(metric.variables, again.variables, strict=True):
        target.assign(np.asarray(source))
    metric.update_state(truth, guess)
    model = keras.Sequential([keras.Input(guess.shape[1:]), keras.layers.Activation("linear")])
    model.compile(loss=lambda y, p: keras.ops.mean(p), metrics=[again], jit_compile=True)
    model.test_on_batch(guess, truth)  # which leaves the metric's counts as they were before
    for source, target in zip(metric.variables, again.variables, strict=True):
        np.testing.assert_allclose(np.asarray(target), np.asarray(source), rtol=1e-12)
        assert np.asarray(source).sum() > 0
    assert float(again.result()) == pytest.approx(float(metric.result()), rel=1e-12)
