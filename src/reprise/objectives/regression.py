"""Loss and metrics of values: one, several, or a matrix of them."""

from typing import Literal

import keras

from reprise.objectives.targets import require_kind
from reprise.objectives.values import ValueLoss, ValueScore
from reprise.spec import Spec


def build(
    target_spec: Spec, *, loss: Literal["mse", "mae", "huber"] = "mse"
) -> tuple[keras.Loss, list[keras.Metric]]:
    """Build the loss and the metrics for a target of values.

    Args:
        target_spec: Values of any shape. What the train split taught of their scale is the unit of
            the loss, so that it is about 1 at the start whatever the user's unit is.
        loss: Mean of the squared error, of the absolute error, or of Huber's, which is the first
            up to an error of one scale and goes on like the second.

    Returns:
        The loss, and the metrics `mae` and `rmse` in the user's own unit, and `r2`.

    Raises:
        UserError: the target has classes.
    """
    require_kind("regression", target_spec, ("values",))
    channels = target_spec.shape[-1] if target_spec.shape else 1
    metrics: list[keras.Metric] = [ValueScore(kind, channels) for kind in ("mae", "rmse", "r2")]
    return ValueLoss(loss, target_spec.scale), metrics
