"""Says what takes long."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def with_word(items: Iterable[_T], doing: str) -> Iterator[_T]:
    """The items; what we are doing is said once on stderr if it takes more than a second."""
    said_at = time.monotonic() + 1
    for item in items:
        if said_at and time.monotonic() > said_at:
            print(f"note: {doing}, by reading it once", file=sys.stderr, flush=True)
            said_at = 0.0
        yield item
