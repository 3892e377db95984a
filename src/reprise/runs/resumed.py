"""A run that is taken up again: what it stands at, and what has changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reprise.runs.folder import CONFIG, RESULT, TRACEBACK
from reprise.runs.job import PRUNED

if TYPE_CHECKING:
    from reprise.tracking.run import Run
    from reprise.training.state import State


@dataclass(frozen=True)
class Resumed:
    """A recorded run, and the training state it goes on from.

    Args:
        folder: Its folder.
        state: The training state, or None where the run was left before step 0.
        config: Its configuration from now on.
        changes: What differs from before, as lines for people; empty where nothing does.
    """

    folder: Path
    state: State | None
    config: Mapping[str, Any]
    changes: tuple[str, ...]

    @property
    def learning_rate(self) -> float | None:
        """The constant rate to go on with, where it is no longer that of the state."""
        is_changed = any(change.startswith("optimizer.learning_rate:") for change in self.changes)
        optimizer = self.config["optimizer"]
        is_constant = optimizer.get("schedule") == "constant"
        return optimizer["learning_rate"] if is_changed and is_constant else None

    def record(self, run: Run) -> None:
        """Write down what has changed; parameters stay as they were when the run began.

        How the run ended before counts no more.
        """
        for ended in (RESULT, TRACEBACK, PRUNED):
            (self.folder / ended).unlink(missing_ok=True)
        step = self.state.step if self.state else 0
        run.tags({"reprise.resumed_at_step": step})
        if self.changes:
            run.text(f"changes_at_step_{step}.txt", "\n".join(self.changes) + "\n")
            run.text(CONFIG, yaml.safe_dump(dict(self.config), sort_keys=False))
