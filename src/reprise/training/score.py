"""A model's metrics on one split."""

from typing import Any

import keras

from reprise.training.cause import Cause, data_errors_as_themselves


def score(
    model: keras.Model, data: Any, split: str, cause: Cause | None = None
) -> dict[str, float]:
    """Evaluate a compiled model on one pass of batches.

    Args:
        model: A compiled model.
        data: One pass of batches (x, y), of any kind that Keras takes.
        split: Name the metrics are filed under.
        cause: Tells which error of the data stopped the feed, if one did.

    Returns:
        `{'<split>/<metric>': value}`, the loss among them.
    """
    with data_errors_as_themselves(cause):
        values = model.evaluate(data, return_dict=True, verbose=0)
    return {f"{split}/{name}": float(value) for name, value in values.items()}
