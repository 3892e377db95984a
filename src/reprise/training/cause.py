"""Errors of the data, shown as themselves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Cause = Callable[[], BaseException | None]


@contextmanager
def data_errors_as_themselves(cause: Cause | None) -> Iterator[None]:
    """Raise what `cause` tells instead of the backend's wrapper of it.

    Args:
        cause: Gives the error that stopped the feed, or None where the data stopped nothing.
    """
    try:
        yield
    except Exception:
        reason = cause() if cause else None
        if reason is not None:
            raise reason from None
        raise
