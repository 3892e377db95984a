"""What a training state holds of a model and its callbacks, taken and put back.

Variables are matched by their order: names and paths depend on what a process built before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from reprise.errors import UserError

Arrays = dict[str, np.ndarray]


def variables_of(model: keras.Model) -> list[keras.Variable]:
    """Everything that training a compiled model changes, in an order that rebuilding repeats.

    Weights, the state of dropout's and augmentation's random generators, the optimizer.
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
    """Put values back that `values_of` took.

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


def plain_attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The counters and best values of a callback: what JSON can hold of its public attributes.

    What begins with an underscore is the callback's own business: clocks, caches.
    """
    found = {}
    for name, value in vars(callback).items():
        if isinstance(value, np.generic):
            value = value.item()
        if not name.startswith("_") and isinstance(value, int | float | str | None):
            found[name] = value
    return found


def by_name(
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, keras.callbacks.Callback]:
    """Callbacks by their class and a number, for a state that outlives a change of them."""
    named: dict[str, keras.callbacks.Callback] = {}
    for callback in callbacks:
        kind = type(callback).__name__
        count = sum(type(one) is type(callback) for one in named.values())
        named[f"{kind}{count}"] = callback
    return named


def changed_attributes(
    callbacks: Mapping[str, keras.callbacks.Callback],
    fresh: Mapping[str, Mapping[str, Any]] | None,
) -> dict[str, dict[str, Any]]:
    """Of each callback's plain attributes, those that are not what they were when it was `fresh`.

    What never changes is a setting, for the configuration of a resumed run to say.
    """
    found = {}
    for name, callback in callbacks.items():
        first = (fresh or {}).get(name, {})
        now = plain_attributes(callback)
        found[name] = {n: now[n] for n in now if n not in first or first[n] != now[n]}
    return found


def weight_lists(callback: keras.callbacks.Callback, name: str) -> Arrays:
    """The weights that a callback keeps, such as EarlyStopping's `best_weights`, as arrays."""
    return {
        f"{name}.{attribute}.{at:04d}": value
        for attribute, values in vars(callback).items()
        if isinstance(values, list) and all(isinstance(value, np.ndarray) for value in values)
        for at, value in enumerate(values)
    }


def lists_in(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, list[np.ndarray]]:
    """The lists of weights that `weight_lists` made arrays of, by attribute."""
    found: dict[str, list[np.ndarray]] = {}
    for key in sorted(arrays):
        if key.startswith(f"{name}."):
            found.setdefault(key.split(".")[1], []).append(arrays[key])
    return found
