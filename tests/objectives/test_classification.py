import keras
import numpy as np
import pytest
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


def names(spec):
    return [metric.name for metric in build(spec)[1]]


def test_metrics_of_one_class():
    assert names(one()) == ["accuracy", "f1", "f1_cat", "f1_dog", "f1_emu"]
    assert "top5" not in names(one(map(str, range(10))))
    assert names(one(map(str, range(11))))[:4] == ["accuracy", "f1", "top5", "f1_0"]
    assert len(names(one(map(str, range(30))))) == 33
    assert names(one(map(str, range(31)))) == ["accuracy", "f1", "top5"]


def test_metrics_of_several_labels():
    assert names(several()) == ["accuracy", "exact", "f1", "f1_cat", "f1_dog", "f1_emu"]
    assert names(several(("cat",))) == ["accuracy", "exact", "f1", "f1_cat"]
    assert len(names(several(tuple(map(str, range(31)))))) == 3
    assert {metric.threshold for metric in build(several(), threshold=0.3)[1]} == {0.3}


def test_the_loss_is_the_one_of_the_target_s_shape():
    options = {"label_smoothing": 0.1, "class_weights": [1.0, 2.0, 3.0]}
    for spec, kind in ((one(), ClassLoss), (several(), LabelsLoss)):
        loss, _ = build(spec, **options)
        assert type(loss) is kind
        assert {key: loss.get_config()[key] for key in options} == options


def test_balanced_weights_equal_scikit_learn_s_and_their_mean_over_the_samples_is_1():
    labels = np.repeat([0, 1, 2], [70, 20, 10])
    weights = balanced(one(counts=(70, 20, 10)))
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(weights, expected)
    assert np.mean(np.array(weights)[labels]) == pytest.approx(1)


def test_a_class_without_training_samples_has_weight_1_and_takes_no_share():
    assert balanced(one(counts=(30, 0, 10))) == [40 / 60, 1.0, 40 / 20]
    loss, _ = build(one(counts=(30, 0, 10)), class_weights="balanced")
    assert loss.class_weights == [40 / 60, 1.0, 40 / 20]


@pytest.mark.parametrize("counts", [(), (0, 0, 0)])
def test_balanced_without_counts_is_refused(counts):
    with pytest.raises(UserError, match="how often each class occurs"):
        build(one(counts=counts), class_weights="balanced")


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, float("inf")]])
def test_weights_that_do_not_fit_the_classes_are_refused(weights):
    with pytest.raises(UserError, match="class_weights does not fit") as error:
        build(one(), class_weights=weights)
    assert "3 weights, for cat, dog, emu" in str(error.value)


@pytest.mark.parametrize("spec", [one(map(str, range(12))), several()], ids=["one", "several"])
def test_names_are_flat_values_are_the_split_s_and_a_saved_model_gives_them_again(spec, tmp_path):
    rng = np.random.default_rng(0)
    is_one, count = spec.kind == "class", len(spec.classes)
    activation = "softmax" if is_one else "sigmoid"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(count, activation)])
    x = rng.normal(size=(23, 4)).astype("float32")
    y = rng.integers(0, count, 23) if is_one else rng.integers(0, 2, (23, count)).astype("uint8")
    loss, metrics = build(spec, class_weights=[1.0] * count)
    model.compile(loss=loss, metrics=metrics)
    expected = model.evaluate(x, y, batch_size=23, verbose=0, return_dict=True)
    assert set(expected) == {"loss", *(metric.name for metric in metrics)}
    short = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    assert short == pytest.approx(expected, rel=1e-5)
    guess = model.predict(x, verbose=0)
    guess = guess.argmax(1) if is_one else guess > 0.5
    present = np.unique(y) if is_one else None
    macro = f1_score(y, guess, average="macro", labels=present, zero_division=0)
    assert expected["f1"] == pytest.approx(macro)
    assert expected["accuracy"] == pytest.approx((y == guess).mean())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    received = again.evaluate(x, y, batch_size=23, verbose=0, return_dict=True)
    assert received == pytest.approx(expected)


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
