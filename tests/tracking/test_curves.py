import cv2

from reprise.tracking.curves import SHOWN, write_curves
from reprise.tracking.run import open_run


def test_curves_are_drawn_and_recorded(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_run(tmp_path / "runs/e/run", "e", "n", uri=uri, redact=str) as run:
        for epoch in (1, 2, 3):
            for split in ("train", "valid"):
                values = {f"{split}/iou_class_{i}": 0.1 for i in range(9)}
                run.metrics(values | {f"{split}/loss": 1 / epoch, f"{split}/iou": 0.5}, epoch)
        write_curves(run, "pictures/curves.png")
    picture = cv2.imread(str(run.folder / "pictures/curves.png"))
    assert picture.shape == (300, 400 * SHOWN, 3)
    assert (picture != 255).any()
