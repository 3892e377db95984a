import re

import cv2
import keras
import numpy as np
import pytest
from mlflow import MlflowClient

from reprise.tracking.pictures import Predictions


class Folder:
    def __init__(self, folder):
        self.folder, self.id, self.seen, self.noted = folder, "20261121-a766", [], {}

    def artifact(self, path):
        self.seen.append(path.relative_to(self.folder).as_posix())

    def tags(self, values):
        self.noted |= values


@pytest.fixture
def predictions(tmp_path):
    """The callback of a model that multiplies by 10, and what it has drawn."""
    drawn = []

    def draw(axes, x, y, prediction):
        drawn.append((x.item(), y.item(), prediction.item()))

    model = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(10.0)])
    x, y = np.array([[1.0], [2.0]], np.float32), np.array([[3.0], [4.0]], np.float32)
    callback = Predictions(Folder(tmp_path), x, y, draw, every=2)
    callback.set_model(model)
    callback.set_params({"epochs": 5})
    return callback, drawn


def train(callback, epochs):
    for epoch in epochs:
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch)


def test_predictions_are_drawn_before_the_first_epoch_and_when_it_is_their_turn(predictions):
    callback, drawn = predictions
    train(callback, range(5))
    assert set(drawn) == {(1.0, 3.0, 10.0), (2.0, 4.0, 20.0)}
    named = "images/predictions+step+{:04d}+timestamp+0+20261121-a766{}"
    endings = (".png", "+compressed.webp")
    expected = [named.format(epoch, end) for epoch in (0, 2, 4, 5) for end in endings]
    assert callback.run.seen == expected
    assert callback.run.noted == {"mlflow.loggedImages": True}
    whole, small = (cv2.imread(str(callback.run.folder / name)) for name in expected[:2])
    assert whole.shape == small.shape


def test_a_resumed_run_keeps_the_picture_of_the_untrained_model(predictions):
    callback, _ = predictions
    train(callback, [0])
    first = (callback.run.folder / callback.run.seen[0]).stat().st_mtime_ns
    train(callback, [0, 1])
    assert [name.split("+")[2] for name in callback.run.seen] == ["0000", "0000", "0002", "0002"]
    assert (callback.run.folder / callback.run.seen[0]).stat().st_mtime_ns == first


def test_the_names_are_those_that_mlflow_gives(tmp_path):
    """The UI finds pictures by these names, and no document says them: so they are held to."""
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.create_experiment("e", (tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    client.log_image(run, np.zeros((4, 4, 3), np.uint8), key="predictions", step=3)
    names = sorted(file.path for file in client.list_artifacts(run, "images"))
    rest = r"\+timestamp\+\d+\+[0-9a-f-]{36}"
    for name, ending in zip(names, (r"\+compressed\.webp", r"\.png"), strict=True):
        assert re.fullmatch(rf"images/predictions\+step\+3{rest}{ending}", name), name
    assert client.get_run(run).data.tags["mlflow.loggedImages"] == "True"
