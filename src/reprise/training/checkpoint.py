"""The best model of a run, replaced in one step and never half-written."""

import hashlib
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import keras

from reprise.files import replacing
from reprise.training.any_size import of_any_size, saved_for_any_size
from reprise.training.state import BEST, keep_newest

KEPT = 3  # best models: of the epoch under way, and of each of the two states before it


class Checkpoint(keras.callbacks.Callback):
    """Write the model after every epoch that is the best so far, as `best.keras`.

    The file has no optimizer in it, and loads as an uncompiled model; that of a fully convolutional
    network takes pictures of any size. The newest three are also
    kept by the number of their epoch, since a run may be resumed from a state older than the newest
    of them. Where the disk takes none, training goes on.

    Args:
        folder: Where `best.keras` goes; made if it is missing.
        states: Where the best models of their epochs go; made if it is missing.
        monitor: Metric under its Keras name; an epoch without it is never the best.
        mode: 'min' or 'max', which of two values of it is better.
        failed: Called when a model could not be written; the ones before stay.
    """

    def __init__(
        self,
        folder: Path,
        states: Path,
        monitor: str,
        mode: Literal["min", "max"],
        failed: Callable[[OSError], None],
    ) -> None:
        super().__init__()
        self._folder, self._states, self._failed = folder, states, failed
        self.monitor, self.mode = monitor, mode
        self._sign = 1.0 if mode == "max" else -1.0
        self.best = -math.inf
        self.best_epoch: int | None = None
        self._any_size: bool | None = None  # whether the model can be saved so
        for made in (folder, states):
            made.mkdir(parents=True, exist_ok=True)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the best model of a resumed run back, where a lost attempt had found a later one."""
        if self.best_epoch is not None and self._of(self.best_epoch).exists():
            self._link(self._of(self.best_epoch))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save the model, if it is the best."""
        value = self._sign * float((logs or {}).get(self.monitor, math.nan))
        # the first epoch is the best so far even where its value is not a number
        if not (value > self.best or self.best_epoch is None):
            return
        path = self._of(epoch + 1)
        if self._any_size is None:
            self._any_size = of_any_size(self.model) is not None
        try:
            with (
                replacing(path) as partial,
                without_optimizer(self.model),
                saved_for_any_size(self.model, self._any_size),
            ):
                self.model.save(partial)
            self._link(path)
        except OSError as error:
            self._failed(error)
            return
        self.best_epoch = epoch + 1
        self.best = value if math.isfinite(value) else -math.inf
        there = sorted(self._states.glob("best-*.keras"))
        ours = [one for one in there if one <= path]
        for other in {*there} - {*ours[-KEPT:]}:  # later ones are of an attempt that was lost
            other.unlink()

    def _link(self, kept: Path) -> None:
        best = self._folder / BEST
        if not (best.exists() and best.samefile(kept)):
            with replacing(best) as partial:
                partial.hardlink_to(kept)

    def _of(self, epoch: int) -> Path:
        return self._states / f"best-{epoch:04d}.keras"


@contextmanager
def without_optimizer(model: keras.Model) -> Iterator[None]:
    """Have `model.save` leave out the optimizer, which takes twice the room of the weights."""
    attributes = {name: getattr(model, name) for name in ("optimizer", "compiled")}
    vars(model).update(optimizer=None, compiled=False)
    try:
        yield
    finally:
        vars(model).update(attributes)


def discard(folder: Path, states: Path, keep: Literal["all", "best", "none"]) -> None:
    """Delete what a finished run does not keep.

    Args:
        folder: Where its best model is.
        states: Where its training states are.
        keep: `all`: the newest state and the best model; `best`: the best model; `none`: neither.
    """
    if keep == "none":
        shutil.rmtree(folder, ignore_errors=True)
    else:
        (folder / "last.keras").unlink(missing_ok=True)  # of a run that an older version began
    if keep != "all":
        shutil.rmtree(states, ignore_errors=True)
        return
    keep_newest(states, 1)
    for path in states.glob("best-*.keras"):
        if not path.samefile(folder / BEST):
            path.unlink()


def weights_sha256(model: keras.Model) -> str:
    """Hash of all weights' values, in the model's own order: two equal models, one hash."""
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    return digest.hexdigest()
