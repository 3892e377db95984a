"""Looks many image files over at once, and says of each that is wrong what is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reprise.errors import UserError

_THREADS = 8  # more than cores: a cold disk is waited for


def find_problems(look: Callable[[int], object], count: int) -> list[str]:
    """Call `look(0)` to `look(count - 1)`, several at a time.

    Returns:
        One line for every UserError raised, in the order of the numbers.
    """

    def line(at: int) -> str | None:
        try:
            look(at)
        except UserError as error:
            what, expected, received, _ = error.args
            return f"{what}: expected {expected}; received {received}".replace("\n", " ")
        return None

    with ThreadPoolExecutor(_THREADS) as threads:
        return [found for found in threads.map(line, range(count)) if found]


def require_dtype(path: Path, received: str, expected: str) -> None:
    """Refuse an image of another depth than the first one.

    Raises:
        UserError: `received` is not `expected`.
    """
    if received != expected:
        raise UserError(
            f"{path} has another depth than the first image",
            f"{expected} pixels, as in the first image",
            f"{received} pixels",
            "convert the images to one depth",
        )
