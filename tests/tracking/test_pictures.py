import cv2
import keras
import numpy as np

from reprise.tracking.grid import GAP, write_grid
from reprise.tracking.pictures import Predictions


def test_a_grid_holds_every_picture_in_order(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    pictures = [np.full((10, 30, 3), colour, np.uint8) for colour in colours]
    path = write_grid(tmp_path / "deep" / "grid.png", pictures)
    sheet = cv2.imread(str(path))[..., ::-1]
    rows, columns = 3, 1
    assert sheet.shape == (rows * (10 + GAP) - GAP, columns * (30 + GAP) - GAP, 3)
    for at, colour in enumerate(colours):
        assert tuple(sheet[at * (10 + GAP) + 5, 15]) == colour
    assert (sheet[10 + GAP // 2] == 255).all()


class Folder:
    def __init__(self, folder):
        self.folder, self.seen = folder, []

    def artifact(self, path):
        self.seen.append(path.relative_to(self.folder).as_posix())


def test_predictions_are_drawn_when_it_is_their_turn(tmp_path):
    drawn = []

    def draw(x, y, prediction):
        drawn.append((x.item(), y.item(), prediction.item()))
        return np.zeros((4, 4, 3), np.uint8)

    model = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(10.0)])
    run = Folder(tmp_path)
    x, y = np.array([[1.0], [2.0]], np.float32), np.array([[3.0], [4.0]], np.float32)
    callback = Predictions(run, x, y, draw, every=2)
    callback.set_model(model)
    callback.set_params({"epochs": 5})
    for epoch in range(5):
        callback.on_epoch_end(epoch)
    assert [name[-8:-4] for name in run.seen] == ["0002", "0004", "0005"]
    assert drawn[:2] == [(1.0, 3.0, 10.0), (2.0, 4.0, 20.0)]
