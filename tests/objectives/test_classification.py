import keras
import numpy as np
import pytest
from objectives.saving import assert_scores_are_the_split_s_and_saved
from sklearn.metrics import f1_score
from sklearn.utils.class_weight import compute_class_weight

from reprise.config.check import check
from reprise.errors import UserError
from reprise.objectives.classification import balanced, build
from reprise.objectives.losses import ClassLoss, LabelsLoss
from reprise.spec import Spec

ANIMALS = ("cat", "dog", "emu")


def one(classes=ANIMALS, counts=()):
    return Spec((), "int32", tuple(classes), counts=tuple(counts))


def several(classes=ANIMALS, counts=()):
    return Spec((len(classes),), "uint8", tuple(classes), counts=tuple(counts))


def many(count):
    return tuple(map(str, range(count)))


@pytest.mark.parametrize(
    ("spec", "first", "count"),
    [
        (one(), ["accuracy", "f1", "f1_cat", "f1_dog", "f1_emu"], 5),
        (one(many(10)), ["accuracy", "f1", "f1_0"], 12),
        (one(many(11)), ["accuracy", "f1", "top5", "f1_0"], 14),
        (one(many(30)), ["accuracy", "f1", "top5", "f1_0"], 33),
        (one(many(31)), ["accuracy", "f1", "top5"], 3),
        (several(), ["accuracy", "exact", "f1", "f1_cat", "f1_dog", "f1_emu"], 6),
        (several(("cat",)), ["accuracy", "exact", "f1", "f1_cat"], 4),
        (several(many(31)), ["accuracy", "exact", "f1"], 3),
    ],
)
def test_metrics_follow_the_target_s_classes(spec, first, count):
    names = [metric.name for metric in build(spec)[1]]
    assert (names[: len(first)], len(names)) == (first, count)


def test_the_loss_is_the_one_of_the_target_s_shape():
    options = {"label_smoothing": 0.1, "class_weights": [1.0, 2.0, 3.0]}
    for spec, kind in ((one(), ClassLoss), (several(), LabelsLoss)):
        loss, _ = build(spec, **options)
        assert type(loss) is kind
        assert {key: loss.get_config()[key] for key in options} == options
    assert {metric.threshold for metric in build(several(), threshold=0.3)[1]} == {0.3}


def test_balanced_weights_equal_scikit_learn_s_and_their_mean_over_the_samples_is_1():
    labels = np.repeat([0, 1, 2], [70, 20, 10])
    weights = balanced(one(counts=(70, 20, 10)))
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(weights, expected)
    assert np.mean(np.array(weights)[labels]) == pytest.approx(1)
    loss, _ = build(one(counts=(30, 0, 10)), class_weights="balanced")
    assert loss.class_weights == [40 / 60, 1.0, 40 / 20]  # a class without samples takes no share


@pytest.mark.parametrize(
    ("weights", "counts", "said"),
    [
        ("balanced", (), "how often each class occurs"),
        ("balanced", (0, 0, 0), "how often each class occurs"),
        ([1.0], (), "class_weights does not fit.*3 weights, for cat, dog, emu"),
        ([1.0, 2.0, float("inf")], (), "class_weights does not fit.*3 weights, for cat, dog, emu"),
    ],
)
def test_weights_that_do_not_fit_the_classes_are_refused(weights, counts, said):
    with pytest.raises(UserError, match=f"(?s){said}"):
        build(one(counts=counts), class_weights=weights)


@pytest.mark.parametrize("spec", [one(map(str, range(12))), several()], ids=["one", "several"])
def test_names_are_flat_values_are_the_split_s_and_a_saved_model_gives_them_again(spec, tmp_path):
    rng = np.random.default_rng(0)
    is_one, count = spec.kind == "class", len(spec.classes)
    activation = "softmax" if is_one else "sigmoid"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(count, activation)])
    x = rng.normal(size=(23, 4)).astype("float32")
    y = rng.integers(0, count, 23) if is_one else rng.integers(0, 2, (23, count)).astype("uint8")
    objective = build(spec, class_weights=[1.0] * count)
    expected = assert_scores_are_the_split_s_and_saved(model, objective, x, y, tmp_path)
    guess = model.predict(x, verbose=0)
    guess = guess.argmax(1) if is_one else guess > 0.5
    present = np.unique(y) if is_one else None
    macro = f1_score(y, guess, average="macro", labels=present, zero_division=0)
    assert expected["f1"] == pytest.approx(macro)
    assert expected["accuracy"] == pytest.approx((y == guess).mean())


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("objective.class_weights=balance", "balanced"),
        ("objective.class_weights=[1.0,0.0]", "> 0"),
        ("objective.label_smoothing=1.0", "< 1"),
        ("model.filters=[]", "a list of 1 or more"),
        ("model.top=max", "average, flatten"),
    ],
)
def test_wrong_values_are_refused_before_tensorflow_is_imported(override, expected):
    with pytest.raises(UserError) as error:
        check(["experiment=digits", override], providable=lambda path: True)
    assert override.partition("=")[0] in str(error.value)
    assert expected in str(error.value)
