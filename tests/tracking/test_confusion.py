import cv2
import keras
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from reprise.objectives import classification, segmentation
from reprise.spec import Spec
from reprise.tracking.confusion import draw, write_confusion

MATRIX = np.array([[8, 2, 0], [0, 5, 0], [0, 0, 0]], np.float64)
NAMES = ("cat", "dog", "emu")


class Folder:
    def __init__(self, folder):
        self.folder, self.seen = folder, []

    def artifact(self, path):
        self.seen.append(path.relative_to(self.folder).as_posix())


def drawn(matrix, names=NAMES):
    axes = draw(np.asarray(matrix, np.float64), names).axes[0]
    cells = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    return axes, cells


def test_rows_are_the_truth_columns_the_answer_and_cells_have_counts():
    axes, cells = drawn(MATRIX)
    assert cells == {(0, 0): "8", (0, 1): "2", (1, 1): "5"}
    assert (axes.get_ylabel(), axes.get_xlabel(), axes.get_title()) == ("truth", "answer", "count")
    assert [text.get_text() for text in axes.get_yticklabels()] == list(NAMES)
    assert [text.get_text() for text in axes.get_xticklabels()] == list(NAMES)
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[0.8, 0.2, 0], [0, 1, 0], [0, 0, 0]])
    assert {to_rgb(text.get_color())[0] for text in axes.texts} == {0.0, 1.0}


def test_long_counts_are_drawn_as_percent_of_the_truth():
    axes, cells = drawn(MATRIX * 2000)
    assert cells == {(0, 0): "80", (0, 1): "20", (1, 1): "100"}
    assert axes.get_title() == "% of the truth"


@pytest.mark.parametrize(("count", "ticks", "cells"), [(2, 2, 4), (30, 30, 900), (100, 25, 0)])
def test_2_to_30_classes_have_numbers_and_more_have_colours(count, ticks, cells):
    names = [f"a class with a rather long name, number {at}" for at in range(count)]
    axes, found = drawn(np.ones((count, count)), names)
    assert len(found) == cells
    assert len(axes.get_yticklabels()) == ticks
    assert max(len(text.get_text()) for text in axes.get_yticklabels()) <= 24
    inches = axes.figure.get_size_inches()[0]
    assert inches < 16
    assert inches / count > 0.4 or not cells


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
    draw(np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]]), NAMES).savefig(expected, dpi=100)
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
