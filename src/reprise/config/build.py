"""The only caller of Hydra's instantiate."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from reprise.errors import UserError


def build(node: dict[str, Any], *args: Any, **live: Any) -> Any:
    """Call a node's `_target_` with the node's keys and with what only the program has.

    Args:
        node: Plain values with a `_target_`; nodes inside it are built first.
        args: Live objects given by position.
        live: Live objects given by name.

    Returns:
        What the target returns.

    Raises:
        UserError: a target inside the node, or the node's own, refused its values.
    """
    try:
        target = instantiate(node, _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _user_error_in(error) or error from None
    return target(*args, **live)


def _user_error_in(error: BaseException) -> UserError | None:
    """Find the error that Hydra wrapped, if it is one that a user is meant to read."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__
    return cause
