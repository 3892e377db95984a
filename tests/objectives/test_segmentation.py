import keras
import numpy as np
import pytest
from objectives.saving import assert_scores_are_the_split_s_and_saved

from reprise.errors import UserError
from reprise.objectives.segmentation import build
from reprise.spec import Spec

YES_NO = Spec((4, 4, 1), "uint8", ("ink",))
THREE = Spec((4, 4, 1), "uint8", ("sky", "road", "car"), ignore=255)


def test_loss_and_metrics_follow_the_target():
    loss, metrics = build(YES_NO)
    assert [metric.name for metric in metrics] == ["iou", "f1", "accuracy"]
    assert (loss.kind, loss.ignore) == ("cross_entropy_dice", None)
    loss, metrics = build(THREE, loss="jaccard", class_weights=[1.0, 2.0, 3.0])
    assert {metric.name: metric.class_id for metric in metrics} == {
        "iou": None, "f1": None, "accuracy": None,
        "iou_sky": 0, "iou_road": 1, "iou_car": 2, "f1_sky": 0, "f1_road": 1, "f1_car": 2,
    }  # fmt: skip
    assert (loss.kind, loss.class_weights, loss.ignore) == ("jaccard", [1.0, 2.0, 3.0], 255)
    assert {metric.ignore for metric in metrics} == {255}


def test_names_are_flat_values_are_the_split_s_and_a_saved_model_gives_them_again(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.random((5, 4, 4, 2)).astype("float32")
    y = rng.integers(0, 3, (5, 4, 4, 1)).astype("uint8")
    layers = [keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 1, activation="softmax")]
    model = keras.Sequential(layers)
    objective = build(THREE, loss="cross_entropy")  # Dice is that of a batch, and no mean
    scores = assert_scores_are_the_split_s_and_saved(model, objective, x, y, tmp_path)
    assert len(scores) == 10
    guess = model.predict(x, verbose=0).argmax(-1)
    road_hits = ((guess == 1) & (y[..., 0] == 1)).sum()
    road_area = ((guess == 1) | (y[..., 0] == 1)).sum()
    assert scores["iou_road"] == pytest.approx(road_hits / road_area)
    of_classes = [scores[f"iou_{name}"] for name in THREE.classes]
    assert scores["iou"] == pytest.approx(np.mean(of_classes))


@pytest.mark.parametrize(
    ("spec", "weights", "expected"),
    [
        (THREE, [1.0, 2.0], "3 weights, for sky, road, car"),
        (YES_NO, [1.0], "2 weights, for no, ink"),
    ],
)
def test_another_number_of_class_weights_is_refused(spec, weights, expected):
    with pytest.raises(UserError, match=r"objective\.class_weights") as error:
        build(spec, class_weights=weights)
    assert expected in str(error.value)
