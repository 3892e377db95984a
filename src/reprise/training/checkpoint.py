"""The best model of a run, replaced in one step and never half-written."""

import hashlib
import math
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import keras

from reprise.files import replacing
from reprise.training.state import BEST, keep_newest

_STEP = 64  # pixels; the strides of all shipped networks together divide it
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


def of_any_size(model: keras.Model) -> keras.Model | None:
    """Copy a model, its weights included, with height and width left open.

    Args:
        model: From pictures, (batch, height, width, channels), to an answer for each pixel.

    Returns:
        The same layers and weights for (batch, any, any, channels), not compiled; None where the
        answer has another size than the picture, or a layer depends on it. Which heights and widths
        go through the strides of the network shows when it is called.
    """
    if not _is_picture_to_picture(model):
        return None
    state = random.getstate()  # new layers draw seeds, which training must not notice
    try:
        with _open_inputs(model):
            config = keras.saving.serialize_keras_object(model)
        config.pop("compile_config", None)
        copy = keras.saving.deserialize_keras_object(config)
        height, width, channels = model.input_shape[1:]
        other = tuple(
            side % _STEP + (_STEP if side % _STEP + _STEP != side else 2 * _STEP)
            for side in (height, width)
        )
        picture = keras.ops.zeros((1, *other, channels), model.inputs[0].dtype)
        if tuple(copy(picture, training=False).shape[1:3]) != other:
            return None
        copy.set_weights(model.get_weights())
    except Exception:  # a user's layers may raise anything over a size that is not known
        return None
    finally:
        random.setstate(state)
    return copy


@contextmanager
def saved_for_any_size(model: keras.Model, free: bool) -> Iterator[None]:
    """Have `model.save` leave height and width open, if `free`: `of_any_size` has a copy."""
    if not free:
        yield
        return
    with _open_inputs(model):
        yield


def _is_picture_to_picture(model: Any) -> bool:
    with suppress(AttributeError, ValueError, TypeError):  # a model without a graph, or of a list
        shapes = tuple(model.input_shape), tuple(model.output_shape)
        if [len(shape) for shape in shapes] == [4, 4]:
            return None not in shapes[0][1:] and shapes[0][1:3] == shapes[1][1:3]
    return False


@contextmanager
def _open_inputs(model: keras.Model) -> Iterator[None]:
    """Have the inputs of a model, and of those in it, say that height and width are open."""
    inputs = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.InputLayer) and len(layer.batch_shape) == 4
    ]
    shapes = [layer.batch_shape for layer in inputs]
    try:
        for layer, shape in zip(inputs, shapes, strict=True):
            layer._batch_shape = (shape[0], None, None, shape[3])
        yield
    finally:
        for layer, shape in zip(inputs, shapes, strict=True):
            layer._batch_shape = shape
