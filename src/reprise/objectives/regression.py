"""Loss and metrics of values: one, several, or a matrix of them."""

from typing import TYPE_CHECKING, Literal

from reprise.objectives.targets import require_kind
from reprise.spec import Spec

if TYPE_CHECKING:
    import keras


def build(
    target_spec: Spec, *, loss: Literal["mse", "mae", "huber"] = "mse"
) -> "tuple[keras.Loss, list[keras.Metric]]":
    """Build the loss and the metrics for a target of values.

    Args:
        target_spec: Values of any shape. Its scale, learned from the train split, is the unit of
            the loss, which is therefore about 1 at the start whatever the user's unit is.
        loss: Mean of the squared error, of the absolute error, or of Huber's, which is quadratic
            up to an error of one scale and linear beyond.

    Returns:
        The loss, and the metrics `mae` and `rmse` in the user's own unit, and `r2`.

    Raises:
        UserError: the target has classes.
    """
    from reprise.objectives.losses import ValueLoss
    from reprise.objectives.metrics import ValueScore

    require_kind("regression", target_spec, ("values",))
    channels = target_spec.shape[-1] if target_spec.shape else 1
    return (
        ValueLoss(loss, target_spec.scale),
        [ValueScore(kind, channels) for kind in ("mae", "rmse", "r2")],
    )
