"""Where the jobs of a grid come from: they are all there from the start."""

from reprise.runs.job import Job
from reprise.sweeps.ledger import State


class Grid:
    """Has no further job to give."""

    def more(self) -> Job | None:
        """None."""
        return None

    def over(self, job: Job, state: State) -> None:
        """Nobody has to be told."""
