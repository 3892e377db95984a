"""Pictures of a run, because people look: what the model sees, and what it says of it."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from reprise.tracking.grid import write_grid
from reprise.tracking.run import Run

Draw = Callable[..., np.ndarray]


class Predictions(keras.callbacks.Callback):
    """Draw the same samples beside the model's output for them, every few epochs.

    Args:
        run: Where to write.
        x: Inputs, with a batch axis.
        y: Targets, with a batch axis.
        draw: The dataset's `picture`.
        every: Epochs between two pictures; the last epoch is always drawn.
    """

    def __init__(self, run: Run, x: np.ndarray, y: np.ndarray, draw: Draw, every: int) -> None:
        super().__init__()
        self.run, self.x, self.y, self.draw, self.every = run, x, y, draw, every

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the picture, if it is this epoch's turn."""
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            name = f"pictures/predictions/epoch_{epoch + 1:04d}.png"
            write_predictions(self.run, self.model, self.x, self.y, self.draw, name)


def write_predictions(
    run: Run, model: Any, x: np.ndarray, y: np.ndarray, draw: Draw, name: str
) -> None:
    """Write a grid of samples, each beside its target and the model's output, as PNG `name`."""
    outputs = np.asarray(keras.ops.convert_to_numpy(model(x, training=False)), np.float32)
    pictures = [draw(*sample) for sample in zip(x, y, outputs, strict=True)]
    run.artifact(write_grid(run.folder / name, pictures))


def write_inputs(run: Run, x: np.ndarray, y: np.ndarray, draw: Draw, name: str) -> None:
    """Write a grid of samples as the model sees them, each beside its target, as PNG `name`."""
    pictures = [draw(*sample) for sample in zip(x, y, strict=True)]
    run.artifact(write_grid(run.folder / name, pictures))
