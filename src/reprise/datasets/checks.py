"""Looking at many files at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from reprise.errors import UserError

_THREADS = 8  # more than cores: most of the time goes by waiting for a disk


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
