"""How the state of a run is kept: where, from what on, and who may ask training to end."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reprise.training.state import State


@dataclass(frozen=True)
class Keeping:
    """How the state of a run is kept.

    Args:
        folder: Where the states go.
        resumed: The state to go on from; None begins anew.
        stop: Gives the signal that asks training to end, or None.
        failed: Told why a state could not be written; training goes on, older states stay.
        learning_rate: What to go on with in the place of the state's; None: the state's.
    """

    folder: Path
    resumed: State | None
    stop: Callable[[], int | None]
    failed: Callable[[OSError], None]
    learning_rate: float | None = None
