"""A driver's connection and the process that it belongs to."""

import os
from contextlib import suppress
from typing import Any

_INHERITED: list[Any] = []  # through a fork: to close one here would end the parent's session


class Handle:
    """A driver's connection, closed with its last owner; one from before a fork is left alone."""

    def __init__(self, connection: Any) -> None:
        self.connection, self._pid = connection, os.getpid()

    @property
    def is_ours(self) -> bool:
        """Whether this process has opened it."""
        return self._pid == os.getpid()

    def __del__(self) -> None:
        if self.is_ours:
            with suppress(Exception):  # it may be lost
                self.connection.close()
        else:
            _INHERITED.append(self.connection)
