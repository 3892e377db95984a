"""Pictures of a run, because people look: what the model sees, and what it says of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from reprise.datasets.drawing import save_grid
from reprise.tracking.run import Run

Draw = Callable[..., None]  # `Dataset.draw`
LOGGED_IMAGES = "mlflow.loggedImages"  # tag of a run that has pictures with a slider
WEBP_QUALITY = 80  # of 100, for the copy that the UI loads first


class Predictions(keras.callbacks.Callback):
    """Draw the same samples beside the model's output for them, before training and as it goes on.

    MLflow's UI shows them as one picture with a slider over the epochs. It finds them by the names
    that `MlflowClient.log_image` gives (release 3.17): key, step, time, and a suffix for the one it
    loads first. The time is left at 0, so that a picture drawn again replaces itself.

    Args:
        run: Where to write.
        x: Inputs, with a batch axis.
        y: Targets, with a batch axis.
        draw: The dataset's `draw`.
        every: Epochs between two pictures; the last epoch is always drawn.
    """

    def __init__(self, run: Run, x: np.ndarray, y: np.ndarray, draw: Draw, every: int) -> None:
        super().__init__()
        self.run, self.x, self.y, self.draw, self.every = run, x, y, draw, every

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the picture of the untrained model, at which the slider stands at first."""
        if epoch == 0 and not self._path(0).exists():  # a resumed run has it
            self._write(0)
            self.run.tags({LOGGED_IMAGES: True})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the picture, if it is this epoch's turn."""
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            self._write(epoch + 1)

    def _write(self, epoch: int) -> None:
        path = self._path(epoch)
        name = path.relative_to(self.run.folder).as_posix()
        write_predictions(self.run, self.model, self.x, self.y, self.draw, name)
        small = path.with_name(f"{path.stem}+compressed.webp")
        Image.open(path).save(small, quality=WEBP_QUALITY)
        self.run.artifact(small)

    def _path(self, epoch: int) -> Path:
        name = f"predictions+step+{epoch:04d}+timestamp+0+{self.run.id}.png"
        return self.run.folder / "images" / name


def write_predictions(
    run: Run, model: Any, x: np.ndarray, y: np.ndarray, draw: Draw, name: str
) -> None:
    """Write a grid of samples, each beside its target and the model's output, as PNG `name`."""
    outputs = np.asarray(keras.ops.convert_to_numpy(model(x, training=False)), np.float32)
    run.artifact(save_grid(run.folder / name, draw, x, y, outputs))


def write_inputs(run: Run, x: np.ndarray, y: np.ndarray, draw: Draw, name: str) -> None:
    """Write a grid of samples as the model sees them, each beside its target, as PNG `name`."""
    run.artifact(save_grid(run.folder / name, draw, x, y))
