"""The settings of one training, as conf/trainer/ writes them."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from reprise.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """How long to train, in which precision, and which metric to watch.

    Args:
        epochs: Number of epochs. An epoch is `steps_per_epoch` batches, not always a whole pass.
        steps_per_epoch: Batches between two validations; None means one pass over the train split.
        deterministic: Same weights from the same seed on the same machine; None means on, where
            training runs on a CPU (it costs nothing there) without XLA, and off elsewhere.
        precision: Keras dtype policy; losses and model outputs stay float32 in every policy.
        jit_compile: Compile the training step with XLA.
        distribution: `none`: one device. `mirrored` (TensorFlow), `data_parallel` (JAX): each batch
            is split over all devices that can be seen.
        monitor: Metric that decides which epoch was best, as the run shows it: `valid/iou`.
        monitor_mode: Whether a larger or a smaller value of `monitor` is better.
        min_delta: Smallest change of `monitor` that counts as better, for both patiences.
        early_stopping_patience: Stop after this many epochs without a better `monitor`.
        reduce_lr_patience: Lower the learning rate after this many epochs without a better one.
        reduce_lr_factor: What the learning rate is multiplied with where it is lowered.
        reduce_lr_min: The learning rate is not lowered below this.
        loss_limit: A training loss above it ends the run; one that is not finite always does.
        recoveries: Times that it goes back to the last state instead, and lowers the learning rate.
        log_every_steps: Record the metrics of the epoch so far, too; None: those of epochs alone.
        pictures_every: Draw predictions beside truth every so many epochs; None means never.
        num_pictures: Samples drawn.
        overfit: Train and validate on the same first so many training samples: a model that cannot
            learn these by heart has a mistake in it. None means the whole splits.
        callbacks: Further Keras callbacks, each a node with a `_target_`. A resume restores public
            attributes of one of your own: numbers, texts, arrays, and lists and dicts of what JSON
            gives back as it is; those whose names begin with `_` belong to one process.
    """

    epochs: Annotated[int, Ge(1)]
    steps_per_epoch: Annotated[int, Ge(1)] | None = None
    deterministic: bool | None = None
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: bool = False
    distribution: Literal["none", "mirrored", "data_parallel"] = "none"
    monitor: str = "valid/loss"
    monitor_mode: Literal["min", "max"] = "min"
    min_delta: Annotated[float, Ge(0)] = 0.0
    early_stopping_patience: Annotated[int, Ge(1)] | None = None
    reduce_lr_patience: Annotated[int, Ge(1)] | None = None
    reduce_lr_factor: Annotated[float, Interval(gt=0, lt=1)] = 0.5
    reduce_lr_min: Annotated[float, Ge(0)] = 0.0
    loss_limit: Annotated[float, Gt(0)] | None = None
    recoveries: Annotated[int, Ge(0)] = 0
    log_every_steps: Annotated[int, Ge(1)] | None = None
    pictures_every: Annotated[int, Ge(1)] | None = 5
    num_pictures: Annotated[int, Ge(1)] = 8
    overfit: Annotated[int, Ge(1)] | None = None
    callbacks: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, callback in enumerate(self.callbacks):
            if not hasattr(callback, "on_train_batch_end"):
                raise UserError(
                    f"trainer.callbacks.{number} is no callback",
                    "a keras.callbacks.Callback, by a node {_target_: package.module.Name, …}",
                    f"{callback!r}, of type {type(callback).__name__}",
                    f"change or leave out trainer.callbacks.{number}",
                )

    @property
    def keras_monitor(self) -> str:
        """`monitor` under the name that Keras logs it by: `valid/iou` is its `val_iou`."""
        split, _, metric = self.monitor.partition("/")
        return f"val_{metric}" if split == "valid" else metric
