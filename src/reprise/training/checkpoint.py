"""The best and the last model of a run, each replaced in one step and never half-written."""

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path

import keras

BEST = "best.keras"
LAST = "last.keras"
KEPT = 3  # best ones: of the epoch itself, and of each of the two states before its own


class Checkpoint(keras.callbacks.Callback):
    """Write the model after every epoch as `last.keras`, and as `best.keras` when it is the best.

    The three newest best ones are also kept by the number of their epoch, for a run that goes on
    from a state older than the newest of them. Where the disk takes none, training goes on.

    Args:
        folder: Where the two files go; made if it is missing.
        kept: Where the best ones of their epochs go; made if it is missing.
        monitor: Metric under its Keras name; an epoch without it is never the best.
        mode: 'min' or 'max', which of two values of it is better.
        failed: Told why a model could not be written; the ones before stay.
    """

    def __init__(
        self,
        folder: Path,
        kept: Path,
        monitor: str,
        mode: str,
        failed: Callable[[OSError], None],
    ) -> None:
        super().__init__()
        self._folder, self._kept, self._failed = folder, kept, failed
        self._monitor = monitor
        self._sign = 1.0 if mode == "max" else -1.0
        self.best = -math.inf
        self.best_epoch: int | None = None
        for made in (folder, kept):
            made.mkdir(parents=True, exist_ok=True)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Let `best.keras` be what was the best up to here, not what a lost attempt had."""
        if self.best_epoch is not None:
            best, kept = self._folder / BEST, self._of(self.best_epoch)
            if kept.exists() and not (best.exists() and best.samefile(kept)):
                _replace(best, lambda path: os.link(kept, path))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save, and link the file where it is the best."""
        try:
            save_whole(self.model, self._folder / LAST)
        except OSError as error:
            self._failed(error)
            return
        value = self._sign * float((logs or {}).get(self._monitor, math.nan))
        # the first epoch is the best so far even where its value is not a number
        if value > self.best or self.best_epoch is None:
            self.best_epoch = epoch + 1
            self.best = value if math.isfinite(value) else -math.inf
            for path in (self._of(self.best_epoch), self._folder / BEST):
                _replace(path, lambda path: os.link(self._folder / LAST, path))
            there = sorted(self._kept.glob("best-*.keras"))
            ours = [path for path in there if path <= self._of(self.best_epoch)]
            for path in {*there} - {*ours[-KEPT:]}:  # later ones are of an attempt that was lost
                path.unlink()

    def _of(self, epoch: int) -> Path:
        return self._kept / f"best-{epoch:04d}.keras"


def save_whole(model: keras.Model, path: Path) -> None:
    """Save `model` with its optimizer in Keras's own format; a reader sees the old or the new."""
    _replace(path, model.save)


def _replace(path: Path, write) -> None:  # type: ignore[no-untyped-def]
    partial = path.with_name(f".partial-{path.name}")  # Keras wants the ending to be .keras
    partial.unlink(missing_ok=True)
    try:
        write(partial)
    except OSError:
        partial.unlink(missing_ok=True)  # it may be what has filled the disk
        raise
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def weights_sha256(model: keras.Model) -> str:
    """Hash of all weights' values, in the model's own order: two equal models, one hash."""
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    return digest.hexdigest()
