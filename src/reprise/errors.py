"""The one error a user is meant to read: what was expected, what was received, what to do."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """Something the user can mend. Shown without a traceback; the command exits with 2.

    Args:
        what: One line that names the thing (file, key, sample) and what is wrong with it.
        expected: What would have been right.
        received: What was there instead.
        remedy: What to do, where possible as the line to type.
    """

    def __init__(self, what: str, expected: str, received: str, remedy: str) -> None:
        super().__init__(what, expected, received, remedy)

    def __str__(self) -> str:
        what, expected, received, remedy = self.args
        rows = (("expected", expected), ("received", received), ("to do", remedy))
        return "\n".join([what, *(f"  {title:<9} {_indent(text)}" for title, text in rows)])


def in_one_line(error: Exception) -> str:
    """An exception as one line; of a `UserError` without what to do."""
    if isinstance(error, UserError):
        what, expected, received, _ = error.args
        text = f"{what}: expected {expected}; received {received}"
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _indent(text: str) -> str:
    return text.replace("\n", "\n" + " " * 12)


class Stopped(Exception):
    """Training ended early because it was asked to; its state is kept, and it can be resumed.

    Args:
        signal: Number of the signal that asked.

    Attributes:
        run: Id of the run; '' before there is one.
        kind: What that id is of: `run` or `sweep`.
        runs: The folder of all runs that it is in; None: runs/.
    """

    run = ""
    kind = "run"
    runs: Path | None = None

    def __init__(self, signal: int) -> None:
        super().__init__(f"stopped by signal {signal}")
        self.signal = signal


class Pruned(Stopped):
    """A job of a search ended early, because others have done better by the same epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__(signal=0)
        self.epoch = epoch

    def __str__(self) -> str:
        return f"pruned after epoch {self.epoch}"
