"""The callback that saves the training state, and restores what a resumed `fit` resets."""

import copy
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

from reprise.errors import Stopped, UserError
from reprise.training.state import State, read_state, write_state

Arrays = dict[str, np.ndarray]

MIN_DELTA = "min_delta"  # Keras gives it its sign anew, at the first comparison of a process
# What Keras's callbacks keep under names of their own between two steps or epochs. Their other such
# attributes are of one process: writers, clocks, a trace under way.
PRIVATE = {
    "_batches_seen_since_last_saving", "_last_batch_seen", "_total_batches_seen",
    "_ema_weights_in_model", "_global_train_batch", "_global_test_batch",
}  # fmt: skip


class StateCallback(keras.callbacks.Callback):
    """Save the training state at step 0, after every epoch, and when training is asked to end.

    It stands after all other callbacks. The state holds all variables of the model and its
    optimizer, and the counters, best values and weights that the other callbacks keep. It is
    written in a thread of its own while training goes on.

    Args:
        folder: Where the states go.
        resumed: The state to resume from; None begins anew.
        stop: Returns the signal that asks training to end, or None.
        failed: Called when a state could not be written; training goes on, older states stay.
        learning_rate: Replaces the state's constant learning rate; None keeps it.

    Attributes:
        step: Training steps done since the run began.
        epoch: The epoch under way, from 0.
        done: Its steps that are done.
        logs: Metrics of the last step.
        is_over: Whether training ended before its last epoch.
        recoveries: Times that it has gone back to an earlier state.
    """

    def __init__(
        self,
        folder: Path,
        resumed: State | None,
        stop: Callable[[], int | None],
        failed: Callable[[OSError], None],
        learning_rate: float | None = None,
    ) -> None:
        super().__init__()
        self._folder, self._stop, self._failed = folder, stop, failed
        self._learning_rate = learning_rate
        self._resumed_at = resumed.step if resumed else 0
        self._others: dict[str, keras.callbacks.Callback] = {}
        self._initial: dict[str, dict[str, Any]] | None = None  # attributes before training
        self._steps_per_epoch = 0
        self._thread: threading.Thread | None = None
        self._take_up(resumed)

    def _take_up(self, state: State | None) -> None:
        """Set step, epoch and counters to those of a state; None begins anew."""
        facts = state.facts if state else {}
        self._resumed = state
        self._rate_factor = 1.0  # by which a recovery lowers the learning rate of the state
        self.step = state.step if state else 0
        self.epoch: int = facts.get("epoch", 0)
        self.done: int = facts.get("done", 0)
        self.logs: dict[str, float] = facts.get("logs", {})
        self.is_over: bool = facts.get("is_over", False)
        self.recoveries: int = facts.get("recoveries", 0)
        self._attributes: dict[str, dict[str, Any]] | None = facts.get("callbacks")
        self._watched: dict[str, list[str]] = facts.get("watched", {})
        self._weights: Mapping[str, np.ndarray] = state.arrays if state else {}

    def watch(self, others: Sequence[keras.callbacks.Callback], steps_per_epoch: int) -> None:
        """Say which callbacks' attributes belong to the state, and how long an epoch is."""
        self._steps_per_epoch = steps_per_epoch
        self._others = {}
        for callback in others:  # by class and number: the list may change between two attempts
            kind = type(callback).__name__
            count = sum(type(other) is type(callback) for other in self._others.values())
            self._others[f"{kind}{count}"] = callback

    def restore(self) -> None:
        """Give the model the values of the state to resume from, if there is one."""
        if not self._resumed:
            return
        assign(variables_of(self.model), "model", self._resumed.arrays)
        optimizer = self.model.optimizer
        if self._learning_rate is not None and self.step == self._resumed_at:
            optimizer.learning_rate = self._learning_rate
        if self._rate_factor != 1:
            optimizer.learning_rate = optimizer.learning_rate * self._rate_factor
        for callback in self._others.values():
            if isinstance(callback, keras.callbacks.CSVLogger):
                callback.append = True  # or `fit` would begin its file anew

    def go_back(self, rate_factor: float) -> bool:
        """Return to the newest whole state with a lower learning rate; False: there is none."""
        self.wait()
        state, _ = read_state(self._folder)
        if state is None:
            return False
        recoveries = self.recoveries + 1
        self._take_up(state)
        # the state knows only of the recoveries before it
        self._rate_factor = rate_factor ** (recoveries - self.recoveries)
        self.restore()
        self.recoveries = recoveries
        return True

    def reload(self) -> None:
        """Undo what `fit` and the callbacks do at the end of a training that now goes on.

        `restore_best_weights` would else put weights back, and an optimizer its averages.
        """
        self.wait()
        state, _ = read_state(self._folder)
        if state is not None and state.step == self.step:
            self._take_up(state)
            self.restore()

    def wait(self) -> None:
        """Return once every state that was saved is on the disk, or has failed."""
        if self._thread is not None:
            self._thread.join()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Restore the attributes that the other callbacks have just reset, or save step 0."""
        if self._initial is None:
            self._initial = {name: counters(one) for name, one in self._others.items()}
        if self._attributes is None:
            self.save()
        else:
            self._restore_attributes()

    def _restore_attributes(self) -> None:
        """Give the other callbacks what they had counted, but for those that watch another metric.

        What was the best of one metric, or in one direction, says nothing about another.
        """
        for name, callback in self._others.items():
            if self._watched.get(name, watched(callback)) == watched(callback):
                now, saved = counters(callback), (self._attributes or {}).get(name, {})
                initial = (self._initial or {}).get(name, {})
                kept = {key: initial[key] for key in initial if key in now}
                kept |= {key: saved[key] for key in saved if key != MIN_DELTA}
                vars(callback).update(copy.deepcopy(kept))  # which it may append to
                vars(callback).update(_arrays_in(self._weights, name))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Restore an epoch that was left in its middle, which the other callbacks begin again."""
        if self._resumed and self.done:
            self.restore()
            self._restore_attributes()
            if self._is_mid_epoch:
                assign(self.model.metrics_variables, "metrics", self._resumed.arrays)
        self._resumed = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count the step, and end here if asked to; an epoch's last step ends in validation."""
        self.step += 1
        self.done += 1
        self.logs = {name: float(value) for name, value in (logs or {}).items()}
        if self.done < self._steps_per_epoch:
            self._end_if_asked()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """End here if asked to: validation changes nothing, and is repeated on resuming."""
        self._end_if_asked()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save the state between two epochs."""
        self.epoch, self.done = epoch + 1, 0
        self.save()
        if not self.model.stop_training:
            self._end_if_asked(is_saved=True)

    def save(self) -> None:
        """Begin to write the state as it is now, once the one before it is written."""
        self._attributes = {}
        for name, callback in self._others.items():
            # What never changes is a setting, which the configuration of a resumed run gives.
            initial = (self._initial or {}).get(name, {})
            self._attributes[name] = {
                key: value
                for key, value in counters(callback).items()
                if key not in initial or initial[key] != value
            }
        self._watched = {name: watched(one) for name, one in self._others.items()}
        self._weights = _arrays(self._others)
        arrays = {**values_of(variables_of(self.model), "model"), **self._weights}
        if self._is_mid_epoch:
            arrays |= values_of(self.model.metrics_variables, "metrics")
        facts = {
            "epoch": self.epoch,
            "done": self.done,
            "logs": self.logs,
            "callbacks": self._attributes,
            "watched": self._watched,
            "is_over": bool(self.model.stop_training),
            "recoveries": self.recoveries,
        }
        self.wait()
        state = State(self.step, arrays, facts)
        self._thread = threading.Thread(target=self._write, args=(state,), name="state")
        self._thread.start()

    def _write(self, state: State) -> None:
        try:
            write_state(self._folder, state)
        except OSError as error:
            self._failed(error)

    @property
    def _is_mid_epoch(self) -> bool:
        """Whether the metrics hold a part of an epoch that is still to be ended."""
        return 0 < self.done < self._steps_per_epoch

    def _end_if_asked(self, *, is_saved: bool = False) -> None:
        signal = self._stop()
        if signal is None:
            return
        if not is_saved:
            self.save()
        raise Stopped(signal)


def variables_of(model: keras.Model) -> list[keras.Variable]:
    """Everything that training a compiled model changes, in an order that rebuilding repeats.

    Weights, the state of the random generators of dropout and augmentation, the optimizer.
    """
    return [*model.variables, *model.optimizer.variables]


def values_of(variables: Sequence[keras.Variable], name: str) -> Arrays:
    """Copies of the variables' values, as `<name>.0000`, `<name>.0001`, …."""
    return {
        f"{name}.{at:04d}": np.array(keras.ops.convert_to_numpy(variable))
        for at, variable in enumerate(variables)
    }


def assign(
    variables: Sequence[keras.Variable], name: str, arrays: Mapping[str, np.ndarray]
) -> None:
    """Assign the values that `values_of` returned.

    They are matched by their order: names and paths depend on what a process built before.

    Raises:
        UserError: they are those of another model.
    """
    saved = [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}.")]
    mine = [tuple(variable.shape) for variable in variables]
    theirs = [value.shape for value in saved]
    if mine != theirs:
        at = next((at for at, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), None)
        differ = "" if at is None else f"; the first that differs has shape {theirs[at]}"
        raise UserError(
            f"the training state does not fit the {name}",
            expected=f"{len(mine)} variables"
            + ("" if at is None else f", number {at} ('{variables[at].path}') of shape {mine[at]}"),
            received=f"{len(theirs)} variables{differ}",
            remedy="resume with the code and the libraries that the run began with",
        )
    for variable, value in zip(variables, saved, strict=True):
        variable.assign(value)


def counters(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The counters and best values of a callback: what JSON can hold of its public attributes.

    Of a callback that is neither Keras's nor reprise's also lists and dicts that JSON gives back as
    they are.
    """
    is_users = type(callback).__module__.partition(".")[0] not in ("keras", "reprise")
    found = {}
    for name, value in vars(callback).items():
        if isinstance(value, np.generic):
            value = value.item()
        is_state = name in PRIVATE or not name.startswith("_")
        if not is_state or name in (MIN_DELTA, "params"):  # params: Keras says them anew
            continue
        if isinstance(value, int | float | str | None):
            found[name] = value
        elif is_users and isinstance(value, list | dict):
            with suppress(TypeError, ValueError):
                copied = json.loads(json.dumps(value))
                if copied == value:
                    found[name] = copied
    return found


def watched(callback: keras.callbacks.Callback) -> list[str]:
    """The metric that a callback judges by, and its direction; empty where it does not say."""
    return [str(value) for name in ("monitor", "mode") if (value := vars(callback).get(name))]


def _arrays(callbacks: Mapping[str, keras.callbacks.Callback]) -> Arrays:
    """The arrays that callbacks keep, alone or in lists such as EarlyStopping's `best_weights`."""
    found: Arrays = {}
    for name, callback in callbacks.items():
        for attribute, value in vars(callback).items():
            is_array = isinstance(value, np.ndarray) and value.dtype != object
            if is_array and not attribute.startswith("_"):
                found[f"{name}.{attribute}"] = value.copy()
            elif isinstance(value, list) and all(isinstance(one, np.ndarray) for one in value):
                found |= {f"{name}.{attribute}.{at:04d}": one for at, one in enumerate(value)}
    return found


def _arrays_in(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, Any]:
    """The arrays of one callback and its lists of them, by attribute, that `_arrays` gave."""
    found: dict[str, Any] = {}
    for key in sorted(arrays):
        if key.startswith(f"{name}."):
            attribute, *number = key.split(".")[1:]
            if number:
                found.setdefault(attribute, []).append(arrays[key])
            else:
                found[attribute] = arrays[key].copy()
    return found
