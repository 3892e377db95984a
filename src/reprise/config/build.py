"""Objects built from nodes with a `_target_`; the only caller of Hydra's instantiate."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from reprise.errors import UserError


def build(node: dict[str, Any], *args: Any, **live: Any) -> Any:
    """Call a node's `_target_` with the node's values and with arguments of the program.

    Args:
        node: Plain values with a `_target_`; nodes inside it are built first.
        args: Positional arguments.
        live: Keyword arguments.

    Returns:
        What the target returns.

    Raises:
        UserError: the target, or one inside the node, refuses its values.
    """
    try:
        target = instantiate(node, _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _user_error_in(error) or error from None
    return target(*args, **live)


def _user_error_in(error: BaseException) -> UserError | None:
    """Return the UserError among the causes of Hydra's error, if there is one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__
    return cause
