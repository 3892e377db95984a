from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from reprise.tracking.curves import SHOWN, write_curves

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)  # train and valid


def drawn(folder, *metrics):
    """The picture of a run that has these metrics by epoch, (height, width, 3) RGB."""
    names = [f"{split}/{metric}" for split in ("train", "valid") for metric in metrics]
    history = {name: {1: 1.0, 2: 0.5 + name.startswith("t"), 3: 0.25} for name in names}
    seen = []
    write_curves(SimpleNamespace(folder=folder, history=history, artifact=seen.append), "p/c.png")
    assert seen == [folder / "p/c.png"]
    return cv2.imread(str(seen[0]))[..., ::-1]


def test_training_and_validation_are_drawn_for_each_metric(tmp_path):
    picture = drawn(tmp_path, "iou", "loss")
    assert picture.shape == (260, 2 * 290, 3)
    for half in np.split(picture, 2, axis=1):
        assert (half == BLUE).all(axis=-1).sum() > 50
        assert (half == ORANGE).all(axis=-1).sum() > 50


@pytest.mark.parametrize(
    ("metrics", "count"),
    [
        (["f1", "f1_0", "f1_1", "accuracy", "loss"], 3),  # no single class
        (["loss", "a", "b", "c", "d", "e"], SHOWN),
    ],
)
def test_as_many_as_can_be_looked_at_once(tmp_path, metrics, count):
    assert drawn(tmp_path, *metrics).shape[1] == count * 290
