"""Ends a training whose loss has left the numbers, before its state is kept."""

import math

import keras

from reprise.errors import UserError


class BlownUp(UserError):
    """The loss has left the numbers; going back to an earlier state may help."""


class BlowUp(keras.callbacks.Callback):
    """Refuses to go on once the loss is not finite, or above a limit.

    Args:
        limit: Largest mean loss of an epoch so far; None: any that is finite.
    """

    def __init__(self, limit: float | None) -> None:
        super().__init__()
        self._limit = math.inf if limit is None else limit
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remember which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the loss of the epoch so far, which one bad step is enough to spoil.

        Raises:
            BlownUp: it is not finite, or above the limit.
        """
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss) and loss <= self._limit:
            return
        limit = "" if self._limit == math.inf else f" of at most {self._limit:g}"
        raise BlownUp(
            f"the loss is {loss:g} in epoch {self._epoch + 1}, step {batch + 1}",
            expected=f"a finite number{limit}",
            received=f"{loss:g}",
            remedy="look at the inputs (make check-data), lower optimizer.learning_rate, set "
            "optimizer.clipnorm=1, or let it\ngo back and lower the rate by itself: "
            "trainer.recoveries=3; the last epoch's state is kept, go on from it with\n"
            'make resume run=last args="optimizer.learning_rate=… force=true"',
        )
