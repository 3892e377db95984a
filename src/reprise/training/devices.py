"""Training on all devices of one host: MirroredStrategy on TensorFlow, DataParallel on JAX.

Both split each global batch by its rows. What depends on a whole batch, the loss and the statistics
of BatchNormalization, is that of the global batch, so that the numbers are those of one device but
for the order of their sums.
"""

from typing import Any, Literal

import keras
from keras.distribution import DataParallel, TensorLayout

from reprise.errors import UserError

BACKENDS = {"mirrored": "tensorflow", "data_parallel": "jax"}
Kind = Literal["none", "mirrored", "data_parallel"]


class Split(DataParallel):
    """`DataParallel` that splits training's batches alone.

    Keras lays all batches of a pass out as the first, and the last one of a split may have any
    number of rows: every device computes those of validation and test in full.
    """

    is_training = False

    def get_data_layout(self, data_shape: tuple[int, ...]) -> TensorLayout:
        """The layout of a pass's arrays, from the shape of the first."""
        if self.is_training:
            return super().get_data_layout(data_shape)
        return TensorLayout([None] * len(data_shape), self.device_mesh)


class Splitting(keras.callbacks.Callback):
    """Tell `Split` when it is training that a pass is for."""

    def __init__(self, split: Split) -> None:
        super().__init__()
        self._split = split

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Split from here on."""
        self._split.is_training = True

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Compute validation in full on every device."""
        self._split.is_training = False

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Split again, in an epoch's further steps."""
        self._split.is_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Split no more."""
        self._split.is_training = False


def distribute(kind: Kind) -> int:
    """Have all models from here on train on all devices that can be seen; returns their number.

    Args:
        kind: 'none' leaves everything as it is.

    Raises:
        UserError: the backend has no such distribution, or there is one device.
    """
    if kind == "none":
        return 1
    backend, others = keras.backend.backend(), [one for one in BACKENDS if one != kind]
    if BACKENDS[kind] != backend:
        raise UserError(
            f"trainer.distribution={kind} is not of the backend that Keras runs on",
            f"KERAS_BACKEND={BACKENDS[kind]}",
            f"KERAS_BACKEND={backend}",
            f"set trainer.distribution={others[0]}",
        )
    devices = _of_tensorflow() if backend == "tensorflow" else keras.distribution.list_devices()
    if len(devices) < 2:
        raise UserError(
            f"trainer.distribution={kind} has nothing to distribute over",
            "two devices or more",
            f"{len(devices)}: {', '.join(devices)}",
            "set trainer.distribution=none, or let it see more of them: CUDA_VISIBLE_DEVICES",
        )
    if is_mirrored() or callbacks():
        return len(devices)  # an update has loaded its parent's model for them
    if backend == "tensorflow":
        import tensorflow as tf

        tf.distribute.experimental_set_strategy(tf.distribute.MirroredStrategy(devices))
    else:
        keras.distribution.set_distribution(Split(devices=devices, auto_shard_dataset=False))
    return len(devices)


def _of_tensorflow() -> list[str]:
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]


def is_mirrored() -> bool:
    """Whether models are made for several devices of TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return bool(tf.distribute.has_strategy())


def callbacks() -> list[keras.callbacks.Callback]:
    """What `fit` has to call where JAX has several devices."""
    distribution = keras.distribution.distribution()
    return [Splitting(distribution)] if isinstance(distribution, Split) else []


def require_rows(batch_size: int, rows: int | None) -> None:
    """Refuse batches of training that the devices cannot share.

    MirroredStrategy wants a row for each device, JAX as many for one as for another.

    Args:
        batch_size: Rows of a batch.
        rows: Of a pass; None where that is not known.

    Raises:
        UserError: a batch, or the last of a pass, has another number of rows.
    """
    distribution = keras.distribution.distribution()
    is_jax = isinstance(distribution, Split)
    if is_jax:
        count = distribution.num_model_replicas
    elif is_mirrored():
        import tensorflow as tf

        count = tf.distribute.get_strategy().num_replicas_in_sync
    else:
        return
    last = (rows or 0) % batch_size
    sizes = [batch_size, *([last] if last else [])]
    if any(size % count if is_jax else size < count for size in sizes):
        raise UserError(
            f"{count} devices cannot share every batch of training",
            f"a multiple of {count} rows" if is_jax else f"{count} rows or more",
            f"loader.batch_size={batch_size}" + (f", and {last} in the last one" if last else ""),
            "choose a loader.batch_size with which that is so of the last batch of a pass, too",
        )


def _gather(x: Any) -> Any:
    """The rows of all of MirroredStrategy's devices, in order; called on each with its own.

    Every device makes the same of them, so that the gradient that they together have for a
    device's rows is its own, times their number.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    count, at = context.num_replicas_in_sync, context.replica_id_in_sync_group

    @tf.custom_gradient
    def gather(x: Any) -> Any:
        parts = context.merge_call(
            lambda strategy, x: [strategy.experimental_local_results(x)], (x,)
        )
        whole = tf.concat(parts[0], 0)
        before = tf.reduce_sum(tf.stack([tf.shape(part)[0] for part in parts[0]])[:at])
        return whole, lambda upstream: count * upstream[before : before + tf.shape(x)[0]]

    return gather(x)


class OfAllDevices(keras.Loss):
    """A loss of the global batch: answers and truth of all of MirroredStrategy's devices.

    Each computes it whole. Keras adds the gradients of all up, and takes a loss to be divided by
    their number.
    """

    def __init__(self, loss: keras.Loss) -> None:
        super().__init__(name=loss.name, reduction=None, dtype=loss.dtype)
        self._loss = loss

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of the global batch, divided by the number of devices."""
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        if context is None:  # Keras builds the model
            return self._loss(y_true, y_pred, sample_weight)

        def gathered(x: Any) -> Any:
            if x is None:
                return None
            x, (_, *shape) = tf.convert_to_tensor(x), x.shape
            if None not in shape:  # what TensorFlow's convolutions make of no rows has another
                none = tf.zeros((0, *shape), x.dtype)
                x = tf.cond(tf.shape(x)[0] > 0, lambda: x, lambda: none)
            return _gather(x)

        everything = gathered(y_pred)
        if (logits := getattr(y_pred, "_keras_logits", None)) is not None:
            everything._keras_logits = gathered(logits)  # where Keras's cross entropy looks
        loss = self._loss(gathered(y_true), everything, gathered(sample_weight))
        is_divided = self._loss.reduction not in (None, "none", "sum")
        return loss if is_divided else loss / context.num_replicas_in_sync


def for_devices(model: keras.Model, loss: keras.Loss) -> keras.Loss:
    """Have BatchNormalization and the loss see the global batch; returns the loss to compile."""
    mirrored = is_mirrored()
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = mirrored
    return OfAllDevices(loss) if mirrored else loss
