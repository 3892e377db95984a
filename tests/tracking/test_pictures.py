"""Pictures of a run: when they are drawn, under which names, and what they show."""

import re
import resource
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
from mlflow import MlflowClient
from tiny import new_store

from reprise.datasets.drawing import save_grid
from reprise.objectives import classification, segmentation
from reprise.spec import Spec
from reprise.tracking.pictures import (
    Predictions,
    draw_confusion,
    write_confusion,
    write_curves,
)


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
    client = MlflowClient(new_store(tmp_path))
    experiment = client.create_experiment("e", (tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    client.log_image(run, np.zeros((4, 4, 3), np.uint8), key="predictions", step=3)
    names = sorted(file.path for file in client.list_artifacts(run, "images"))
    rest = r"\+timestamp\+\d+\+[0-9a-f-]{36}"
    for name, ending in zip(names, (r"\+compressed\.webp", r"\.png"), strict=True):
        assert re.fullmatch(rf"images/predictions\+step\+3{rest}{ending}", name), name
    assert client.get_run(run).data.tags["mlflow.loggedImages"] == "True"


BLUE, ORANGE = (31, 119, 180), (255, 127, 14)  # train and valid


def curves(folder, *metrics):
    """The picture of a run that has these metrics by epoch, (height, width, 3) RGB."""
    names = [f"{split}/{metric}" for split in ("train", "valid") for metric in metrics]
    history = {name: {1: 1.0, 2: 0.5 + name.startswith("t"), 3: 0.25} for name in names}
    seen = []
    write_curves(SimpleNamespace(folder=folder, history=history, artifact=seen.append), "p/c.png")
    assert seen == [folder / "p/c.png"]
    return cv2.imread(str(seen[0]))[..., ::-1]


@pytest.mark.parametrize(
    ("metrics", "count"),
    [
        (["iou", "loss"], 2),
        (["f1", "f1_0", "f1_1", "accuracy", "loss"], 3),  # no single class
        (["loss", "a", "b", "c", "d", "e"], 4),
    ],
)
def test_training_and_validation_are_drawn_for_each_metric(tmp_path, metrics, count):
    picture = curves(tmp_path, *metrics)
    assert picture.shape == (260, count * 290, 3)
    for part in np.split(picture, count, axis=1):
        for colour in (BLUE, ORANGE):
            assert (part == colour).all(axis=-1).sum() > 50


MATRIX = np.array([[8, 2, 0], [0, 5, 0], [0, 0, 0]], np.float64)
NAMES = ("cat", "dog", "emu")


def confusion(matrix, names=NAMES):
    axes = draw_confusion(np.asarray(matrix, np.float64), names).axes[0]
    cells = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    return axes, cells


def test_rows_are_the_truth_columns_the_answer_and_cells_have_counts_or_percents():
    axes, cells = confusion(MATRIX, ("$cat$", "dog", "emu"))
    assert cells == {(0, 0): "8", (0, 1): "2", (1, 1): "5"}
    assert (axes.get_ylabel(), axes.get_xlabel(), axes.get_title()) == ("truth", "answer", "count")
    for labels in (axes.get_yticklabels(), axes.get_xticklabels()):
        assert [text.get_text() for text in labels] == [r"\$cat\$", "dog", "emu"]  # no formula
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[0.8, 0.2, 0], [0, 1, 0], [0, 0, 0]])
    axes, cells = confusion(MATRIX * 2000)
    assert cells == {(0, 0): "80", (0, 1): "20", (1, 1): "100"}
    assert axes.get_title() == "% of the truth"


@pytest.mark.parametrize(("count", "ticks", "cells"), [(2, 2, 4), (30, 30, 900), (100, 25, 0)])
def test_2_to_30_classes_have_numbers_and_more_have_colours(count, ticks, cells):
    names = [f"a class with a rather long name, number {at}" for at in range(count)]
    axes, found = confusion(np.ones((count, count)), names)
    assert (len(found), len(axes.get_yticklabels())) == (cells, ticks)
    assert max(len(text.get_text()) for text in axes.get_yticklabels()) <= 24
    assert axes.figure.get_size_inches()[0] < 16


def test_of_the_last_evaluate_alone(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation("softmax")])
    loss, metrics = classification.build(Spec((), "int32", NAMES))
    model.compile(loss=loss, metrics=metrics)
    run = Folder(tmp_path)
    model.evaluate(np.eye(3), np.array([2, 1, 0]), verbose=0)
    model.evaluate(np.eye(3)[[0, 1, 1]], np.array([0, 1, 2]), verbose=0)
    write_confusion(run, model, NAMES, "pictures/confusion_test.png")
    assert run.seen == ["pictures/confusion_test.png"]
    np.testing.assert_array_equal(metrics[0].confusion, [[1, 0, 0], [0, 1, 0], [0, 1, 0]])
    expected = tmp_path / "expected.png"
    draw_confusion(np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]]), NAMES).savefig(expected, dpi=100)
    received = cv2.imread(str(tmp_path / "pictures/confusion_test.png"))
    np.testing.assert_array_equal(received, cv2.imread(str(expected)))


def test_a_yes_no_mask_has_two_rows_and_a_model_without_classes_no_picture(tmp_path):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Activation("sigmoid")])
    run, x = Folder(tmp_path), np.array([5, -5, 5, -5], "float32").reshape(1, 2, 2, 1)
    model.compile(loss="mse")
    model.evaluate(x, x, verbose=0)
    write_confusion(run, model, (), "none.png")
    assert run.seen == []
    loss, metrics = segmentation.build(Spec((2, 2, 1), "uint8", ("ink",)))
    model.compile(loss=loss, metrics=metrics)
    model.evaluate(x, (x > 0).astype("uint8"), verbose=0)
    write_confusion(run, model, ("ink",), "confusion.png")
    assert run.seen == ["confusion.png"]


def test_a_picture_that_the_disk_does_not_take_ends_no_run_and_the_one_before_stays(
    tmp_path, capsys
):
    run = Folder(tmp_path)
    run.history = {"train/loss": {1: 1.0, 2: 0.5}}
    write_curves(run, "curves.png")
    before = (tmp_path / "curves.png").read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        write_curves(run, "curves.png")
        with pytest.raises(OSError, match=r"File too large: .*new.png"):
            save_grid(tmp_path / "new.png", lambda axes, x, y: axes.plot(x), [[1, 2]], [0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert "note: curves.png could not be written: [Errno 27] File too" in capsys.readouterr().err
    assert (tmp_path / "curves.png").read_bytes() == before
    assert run.seen == ["curves.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
