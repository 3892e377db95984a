"""Keeps the training state while fit runs, and puts back what a resumed fit has reset."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from reprise.errors import Stopped
from reprise.training.keeping import Keeping
from reprise.training.snapshot import (
    assign,
    by_name,
    changed_attributes,
    lists_in,
    plain_attributes,
    values_of,
    variables_of,
    weight_lists,
)
from reprise.training.state import State, read_state
from reprise.training.state_writer import StateWriter


class Keeper(keras.callbacks.Callback):
    """The last of all callbacks: writes the state at step 0, after every epoch, and when asked.

    Args:
        keeping: Where, and what to go on from.
        steps_per_epoch: Training steps between two validations.
        others: The callbacks whose counters and best values belong to the state, in their order.
    """

    def __init__(
        self,
        keeping: Keeping,
        steps_per_epoch: int,
        others: Sequence[keras.callbacks.Callback],
    ) -> None:
        super().__init__()
        self._keeping, self._steps, self._others = keeping, steps_per_epoch, by_name(others)
        self.writer = StateWriter(keeping.folder, keeping.failed)
        self._fresh: dict[str, dict[str, Any]] | None = None
        self._stand_at(keeping.resumed)

    def _stand_at(self, resumed: State | None) -> None:
        """Take up what a state says of the training; None is its beginning."""
        self._resumed = resumed
        self.step = resumed.step if resumed else 0
        facts = resumed.facts if resumed else {}
        self.epoch: int = facts.get("epoch", 0)  # the epoch under way, from 0
        self.done: int = facts.get("done", 0)  # its steps that are done
        self.logs: dict[str, float] = facts.get("logs", {})  # of its last step
        self.is_over: bool = facts.get("is_over", False)  # training ended before its last epoch
        self.recoveries: int = facts.get("recoveries", 0)  # times that it has gone back
        self._kept: dict[str, dict[str, Any]] | None = facts.get("callbacks")
        self._lists: Mapping[str, np.ndarray] = resumed.arrays if resumed else {}

    def restore(self) -> None:
        """Give the model the values of the state to go on from, if there is one."""
        if self._resumed:
            assign(variables_of(self.model), "model", self._resumed.arrays)
            if self._keeping.learning_rate is not None:
                self.model.optimizer.learning_rate = self._keeping.learning_rate

    def go_back(self, rate_factor: float) -> bool:
        """Stand where the newest whole state does, with a lower rate; False: there is none."""
        self.writer.wait()
        state, _ = read_state(self._keeping.folder)
        if state is None:
            return False
        recoveries = self.recoveries + 1
        self._stand_at(state)
        assign(variables_of(self.model), "model", state.arrays)
        rate = self.model.optimizer.learning_rate
        # the state knows only of the times it went back before
        self.model.optimizer.learning_rate = rate * rate_factor ** (recoveries - self.recoveries)
        self.recoveries = recoveries
        return True

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Put back the counters that the other callbacks have just reset, or keep step 0."""
        if self._fresh is None:
            self._fresh = {name: plain_attributes(one) for name, one in self._others.items()}
        if self._kept is None:
            self.keep()
            return
        for name, callback in self._others.items():
            vars(callback).update(self._kept.get(name, {}))
            vars(callback).update(lists_in(self._lists, name))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Put back what the metrics had counted of an epoch that was left in its middle."""
        if self._resumed and self._is_amid:
            assign(self.model.metrics_variables, "metrics", self._resumed.arrays)
        self._resumed = None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count the step, and end here if asked to; an epoch's last step ends in validation."""
        self.step += 1
        self.done += 1
        self.logs = {name: float(value) for name, value in (logs or {}).items()}
        if self.done < self._steps:
            self._end_if_asked()

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """End here if asked to: validation changes nothing, and begins anew."""
        self._end_if_asked()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Keep the state, all of the epoch being done."""
        self.epoch, self.done = epoch + 1, 0
        self.keep()
        if not self.model.stop_training:
            self._end_if_asked(is_kept=True)

    def keep(self) -> None:
        """Write the state as it is now; where that fails, training goes on."""
        self._kept = changed_attributes(self._others, self._fresh)
        self._lists = {}
        for name, callback in self._others.items():
            self._lists |= weight_lists(callback, name)
        arrays = {**values_of(variables_of(self.model), "model"), **self._lists}
        if self._is_amid:
            arrays |= values_of(self.model.metrics_variables, "metrics")
        facts = {
            "epoch": self.epoch,
            "done": self.done,
            "logs": self.logs,
            "callbacks": self._kept,
            "is_over": bool(self.model.stop_training),
            "recoveries": self.recoveries,
        }
        self.writer.begin(State(self.step, arrays, facts))

    @property
    def _is_amid(self) -> bool:
        """Whether the metrics have counted a part of an epoch that is still to be ended."""
        return 0 < self.done < self._steps

    def _end_if_asked(self, *, is_kept: bool = False) -> None:
        signal = self._keeping.stop()
        if signal is None:
            return
        if not is_kept:
            self.keep()
        raise Stopped(signal)
